// The upload panel: says what was found and where it goes before anything is archived, shows what happens to each file, and
// closes the account. It stays until the person closes it.

import { AWAY, DROP_AGAIN, PERMANENT, byId, bytes, count, entries, h, iconButton, nameNode, plural, problem, set, setText, show, soon, textField, timeLeft, visibleName } from '../lib/html.js';
import { Rate } from '../upload/rate.js';
import { speak } from './messages.js';
import { UploadAccount, accountOf } from './upload_parts.js';

const DRAW_MS = 200;
const FIGURES_MS = 1000;
const UNREADABLE_SHOWN = 100;

export class UploadPanel {
  hiddenByPage = false;
  /** Shows what a drop asks for, once. @type {any} */
  asked = null;
  title = h('h2');
  body = h('div.upload-body');
  states = h('span');
  left = h('span');
  summary = h('p.strong#upload-summary');
  figures = h('p.meta');

  root = byId('upload-panel');

  /** @param {{session: import('../upload/session.js').UploadSession, intake: import('../upload/intake.js').Intake, places: import('../state.js').Places, status: import('../state.js').VaultStatus}} parts */
  constructor({ session, intake, places, status }) {
    Object.assign(this, { session, intake, places });
    this.account = new UploadAccount(session, 'upload', status);
    this.fold = iconButton('minus', '', () => this.setSmall(!this.small));
    this.closeButton = iconButton('close', 'Close', () => this.close(), { label: 'Close the account', id: 'upload-close' });
    this.legend = h('div.bar-legend', this.states, this.left);
    this.progress = [this.summary, this.account.bar, this.legend, this.figures, this.account.buttons];
    this.root.append(h('header.upload-head', this.title, this.fold, this.closeButton), this.body, this.account.tabs, this.account.list);
    session.on('change', soon(() => this.draw(), DRAW_MS));
    intake.on('change', () => this.draw());
    setInterval(() => this.drawFigures(), FIGURES_MS);
    this.begin();
    this.setSmall(false);
  }

  begin() {
    this.spokenQuarter = 0;
    this.spokenFailed = 0;
    this.rate = new Rate();
  }

  /** @param {boolean} small */
  setSmall(small) {
    this.small = small;
    set(this.fold, { tip: small ? 'Show the files' : 'Hide the files', expanded: !small });
    this.draw();
  }

  close() {
    const { intake, session } = this;
    if (intake.phase.state === 'asking') intake.answer?.(null);
    else if (intake.phase.state !== 'idle') intake.become('idle');
    if (session.finished) {
      session.clear();
      this.account.filter = '';
      this.begin();
    }
    this.draw();
  }

  draw() {
    const { session, account, body } = this;
    const { phase } = this.intake;
    const { state } = phase;
    const busy = state !== 'idle';
    const shown = busy || (session.found > 0 && !this.hiddenByPage);
    show(this.root, shown);
    if (!shown) return;
    this.root.dataset.state = busy ? state : session.finished ? 'finished' : 'running';
    show(this.closeButton, busy ? state !== 'looking' && state !== 'preparing' : session.finished);
    show(this.fold, !busy);
    account.draw(!busy && !this.small);
    if (state !== 'asking') this.asked = null;
    if (state === 'asking') this.drawQuestion(phase);
    else if (state === 'left') this.drawLeft(phase);
    else if (state === 'looking') this.say('Looking', h('p', `Found ${plural(phase.found, 'file')} so far`));
    else if (state === 'preparing') this.say('Looking', h('p', 'Making the collections'));
    else if (state === 'failed') this.say('Not archived', problem(phase.message));
    else {
      if (body.firstChild !== this.summary) body.replaceChildren(...this.progress);
      this.drawProgress();
    }
  }

  /** @param {string} title @param {...any} children */
  say(title, ...children) {
    this.title.textContent = title;
    this.body.replaceChildren(...children);
  }

  /** @param {{question: import('../upload/intake.js').Question, error: string}} phase */
  drawQuestion({ question, error }) {
    if (this.asked?.question === question) {
      this.asked.failed.textContent = error;
      return;
    }
    const { known, unreadable, files, bytes: size } = question;
    /** @param {'project' | 'collection'} name @param {string} label @param {Record<string, any>} [more] */
    const field = (name, label, more) => question[name] !== null && h('label', label,
      textField({ name, value: question[name], required: true, maxlength: 1024, id: `drop-${name}-field`, ...more }));
    const failed = problem(error);
    const already = h('p#drop-known', { role: 'status' });
    const button = h('button.solid#drop-start', { type: 'submit' });
    const drawKnown = () => {
      const n = known.already.size;
      const left = files - unreadable.length - n;
      setText(already, n > 0 ? `${plural(n, 'file is', 'files are')} already here and will not be sent. ${count(left)} new, ${bytes(size - known.bytes)}.` : '');
      setText(button, left > 0 || files === 0 ? `Archive ${plural(left, 'file')}` : 'Done');
    };
    known.on('found', drawKnown);
    drawKnown();
    const cancel = () => this.intake.answer?.(null);
    const form = h('form', {
      onsubmit: (event) => {
        event.preventDefault();
        const given = new FormData(form);
        /** @param {string} name */
        const word = (name) => String(given.get(name) ?? '').trim();
        this.intake.answer?.({ project: word('project'), collection: word('collection') });
      },
      onkeydown: ({ key }) => key === 'Escape' && cancel(),
    },
    field('project', 'Project', { list: 'project-names' }), h('datalist#project-names', (this.places.projects ?? []).map(({ name: value }) => h('option', { value }))),
    field('collection', 'Collection for the files that are in no folder'),
    failed,
    h('p.hint', `${PERMANENT} Names are permanent.`),
    h('div.buttons', h('button#drop-cancel', { onclick: cancel }, 'Cancel'), button));
    this.say(question.project === null ? '' : 'Where should this go?', h('p.strong#drop-found', `Found ${plural(files, 'file')}, ${bytes(size)}.`), already, unreadableList(unreadable), form);
    if (question.project === null) this.title.append('Add to ', h('bdi', visibleName(question.place)));
    this.asked = { question, failed };
    const first = form.querySelector('input');
    (first ?? button).focus();
    first?.select();
  }

  /** @param {{batch: import('../upload/kept.js').Batch, error: string}} phase */
  drawLeft({ batch, error }) {
    const { files, bytes: size, place, handles } = batch;
    const kept = handles.length > 0;
    this.say('Not finished',
      h('p.strong#left-summary', `${plural(files, 'file was', 'files were')} left unsent (${bytes(size)}), for ${visibleName(place)}.`),
      h('p', kept ? 'Parts already there are not sent twice.' : DROP_AGAIN),
      problem(error),
      h('div.buttons',
        h('button', { onclick: () => this.intake.forget(batch) }, 'Forget it'),
        kept && h('button.solid', { onclick: () => this.intake.goOn(batch) }, 'Continue')));
  }

  drawProgress() {
    const { session } = this;
    const { finished, found, counts } = session;
    const { already, failed, queued } = counts;
    const sealed = counts.sealed + already;
    this.title.textContent = finished ? 'Done' : session.paused ? 'Paused' : session.away ? 'Waiting for the server' : 'Archiving';
    Object.assign(this.summary.dataset, { found, sealed: counts.sealed, already, failed, finished });
    this.summary.textContent = finished ? accountOf(session) : `${count(sealed)} of ${count(found)} sealed`;
    this.states.textContent = [[sealed, 'sealed'], [queued, 'queued'], [failed, 'failed']].filter(([n]) => n).map(([n, word]) => `${count(Number(n))} ${word}`).join(' · ');
    show(this.legend, !finished);
    if (finished) this.figures.textContent = failed > 0 ? 'What failed was not archived; everything else is sealed.' : 'Everything is sealed. It can be proved from now on.';
    else if (this.figures.textContent === '' || session.away) this.drawFigures();
    this.speakProgress();
  }

  drawFigures() {
    const { session, rate } = this;
    const { away, paused, unsentBytes } = session;
    if (this.root.hidden || session.finished || session.found === 0) return;
    rate.sample(performance.now(), session.sentBytes);
    this.left.textContent = away || paused ? '' : timeLeft(rate.secondsFor(unsentBytes));
    this.figures.textContent = paused ? `${bytes(unsentBytes)} wait to be sent. What is queued will still be sealed.`
      : away ? AWAY
        : session.unsent ? `${bytes(session.sentBytes)} of ${bytes(session.totalBytes)} sent, ${bytes(rate.perSecond)}/s` : 'Queued: safe on the server, not sealed yet.';
  }

  speakProgress() {
    const { finished, ended, found, counts: { failed } } = this.session;
    const quarter = finished ? 4 : Math.floor((ended / Math.max(1, found)) * 4);
    if (quarter > this.spokenQuarter) speak(finished ? this.summary.textContent : `${quarter * 25} percent sealed`);
    if (failed > this.spokenFailed && !finished) speak(`${plural(failed, 'file')} failed`);
    this.spokenQuarter = quarter;
    this.spokenFailed = failed;
  }
}

/** @param {import('../upload/collect.js').Found[]} unreadable */
function unreadableList(unreadable) {
  const rest = unreadable.length - UNREADABLE_SHOWN;
  return unreadable.length === 0 ? '' : h('details', h('summary', `${entries(unreadable.length)} could not be read`),
    h('ul', unreadable.slice(0, UNREADABLE_SHOWN).map(({ name, folders, error }) => h('li', nameNode([...folders, name].join('/')), h('span.meta', error))),
      rest > 0 && h('li.meta', `and ${count(rest)} more`)));
}
