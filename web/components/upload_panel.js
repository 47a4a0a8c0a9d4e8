// The upload panel: says what was found and where it goes before anything is archived, shows what happens to each file, and
// closes the account. It stays until the person closes it.

import { bytes, count, plural, timeLeft, visibleName } from '../lib/format.js';
import { h, icon, nameNode, setText, show } from '../lib/html.js';
import { Rate } from '../upload/rate.js';
import { UploadRows } from './upload_rows.js';
import { speak } from './messages.js';
import { accountButtons } from './upload_buttons.js';

const DRAW_MS = 200;
const FIGURES_MS = 1000;
const UNREADABLE_SHOWN = 100;

export class UploadPanel {
  /** @param {HTMLElement} root @param {{session: import('../upload/session.js').UploadSession, intake: import('../upload/intake.js').Intake, projects: () => string[], vaultName: () => string}} parts */
  constructor(root, { session, intake, projects, vaultName }) {
    this.root = root;
    this.session = session;
    this.intake = intake;
    this.projects = projects;
    this.rate = new Rate();
    this.closed = true;
    this.small = false;
    this.spokenQuarter = 0;
    this.spokenFailed = 0;
    this.hiddenByPage = false;
    /** Shows what a drop asks for, once. @type {any} */
    this.asked = null;
    this.rows = new UploadRows(session);
    this.title = h('h2', {});
    this.fold = h('button', { type: 'button', class: 'plain', 'data-testid': 'upload-fold', onclick: () => this.setSmall(!this.small) }, icon('minus'));
    this.closeButton = h('button', { type: 'button', class: 'plain', 'aria-label': 'Close the account', title: 'Close', 'data-testid': 'upload-close', onclick: () => this.close() }, icon('close'));
    this.body = h('div', { class: 'upload-body' });
    this.bar = bar();
    this.states = h('span', {});
    this.left = h('span', {});
    this.legend = h('div', { class: 'bar-legend' }, this.states, this.left);
    this.summary = h('p', { class: 'strong', 'data-testid': 'upload-summary' });
    this.figures = h('p', { class: 'meta' });
    this.buttons = accountButtons(session, 'upload', vaultName);
    this.progress = [this.summary, this.bar.element, this.legend, this.figures, this.buttons.element];
    root.append(h('header', { class: 'upload-head' }, this.title, this.fold, this.closeButton), this.body, this.rows.tabs, this.rows.list);
    let due = false;
    const soon = () => {
      if (due) return;
      due = true;
      setTimeout(() => {
        due = false;
        this.draw();
      }, DRAW_MS);
    };
    session.addEventListener('change', soon);
    intake.addEventListener('change', () => this.draw());
    setInterval(() => this.drawFigures(), FIGURES_MS);
    this.setSmall(false);
  }

  setSmall(/** @type {boolean} */ small) {
    this.small = small;
    this.fold.setAttribute('aria-label', small ? 'Show the files' : 'Hide the files');
    this.fold.title = small ? 'Show the files' : 'Hide the files';
    this.fold.setAttribute('aria-expanded', String(!small));
    this.draw();
  }

  close() {
    if (this.intake.phase.state === 'asking') this.intake.answer?.(null);
    if (this.intake.phase.state === 'failed' || this.intake.phase.state === 'left') this.intake.become({ state: 'idle' });
    if (this.session.finished) {
      this.session.clear();
      this.rows.filter = '';
      this.spokenQuarter = 0;
      this.spokenFailed = 0;
      this.rate = new Rate();
    }
    this.draw();
  }

  draw() {
    const { phase } = this.intake;
    const busy = phase.state !== 'idle';
    const shown = busy || (this.session.found > 0 && !this.hiddenByPage);
    show(this.root, shown);
    if (!shown) return;
    this.root.dataset.state = busy ? phase.state : this.session.finished ? 'finished' : 'running';
    show(this.closeButton, phase.state === 'asking' || phase.state === 'failed' || phase.state === 'left' || (!busy && this.session.finished));
    show(this.fold, !busy);
    const lists = !busy && !this.small;
    show(this.rows.tabs, lists);
    show(this.rows.list, lists);
    if (phase.state === 'asking') {
      this.drawQuestion(phase);
      return;
    }
    this.asked = null;
    if (phase.state === 'left') {
      this.drawLeft(phase);
      return;
    }
    if (phase.state === 'looking' || phase.state === 'preparing') {
      this.title.textContent = 'Looking';
      this.body.replaceChildren(h('p', {}, phase.state === 'looking' ? `Found ${plural(phase.found, 'file')} so far` : 'Making the collections'));
      return;
    }
    if (phase.state === 'failed') {
      this.title.textContent = 'Not archived';
      this.body.replaceChildren(h('p', { class: 'problem', role: 'alert' }, phase.message));
      return;
    }
    if (this.body.firstChild !== this.summary) this.body.replaceChildren(...this.progress);
    this.drawProgress();
    if (lists) this.rows.draw();
  }

  /** @param {{question: import('../upload/intake.js').Question, error: string}} phase */
  drawQuestion({ question, error }) {
    if (this.asked?.question === question) {
      this.asked.problem.textContent = error;
      return;
    }
    const { known, unreadable } = question;
    this.title.replaceChildren(...(question.project === null ? ['Add to ', h('bdi', {}, visibleName(question.place))] : ['Where should this go?']));
    const names = h('datalist', { id: 'project-names' }, ...this.projects().map((name) => h('option', { value: name })));
    const project = question.project !== null && h('input', { name: 'project', required: true, maxlength: '1024', autocomplete: 'off', list: 'project-names', 'data-testid': 'drop-project-field' });
    const collection = question.collection !== null && h('input', { name: 'collection', required: true, maxlength: '1024', autocomplete: 'off', 'data-testid': 'drop-collection-field' });
    if (project) project.value = question.project;
    if (collection) collection.value = question.collection;
    const problem = h('p', { class: 'problem', role: 'alert' }, error);
    const already = h('p', { 'data-testid': 'drop-known', role: 'status' });
    const button = h('button', { type: 'submit', class: 'solid', 'data-testid': 'drop-start' });
    const drawKnown = () => {
      const left = question.files - unreadable.length - known.already.size;
      setText(already, known.already.size > 0 ? `${plural(known.already.size, 'file is', 'files are')} already here and will not be sent. ${count(left)} new, ${bytes(question.bytes - known.bytes)}.` : '');
      setText(button, left > 0 || question.files === 0 ? `Archive ${plural(left, 'file')}` : 'Done');
    };
    known.addEventListener('found', drawKnown);
    drawKnown();
    const form = h('form', {
      'data-testid': 'drop-form',
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        this.intake.answer?.({ project: project ? project.value.trim() : '', collection: collection ? collection.value.trim() : '' });
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === 'Escape') this.intake.answer?.(null);
      },
    },
    project && h('label', {}, 'Project', project), project && names,
    collection && h('label', {}, 'Collection for the files that are in no folder', collection),
    problem,
    h('p', { class: 'permanence' }, 'Archived for good: nothing here can be changed or removed. Names are permanent.'),
    h('div', { class: 'buttons' },
      h('button', { type: 'button', 'data-testid': 'drop-cancel', onclick: () => this.intake.answer?.(null) }, 'Cancel'), button));
    this.body.replaceChildren(h('p', { class: 'strong', 'data-testid': 'drop-found' }, `Found ${plural(question.files, 'file')}, ${bytes(question.bytes)}.`), already, unreadableList(unreadable), form);
    this.asked = { question, problem };
    const field = project || collection;
    (field || button).focus();
    if (field) field.select();
  }

  /** @param {{batch: import('../upload/kept.js').Batch, error: string}} phase */
  drawLeft({ batch, error }) {
    const { files, bytes: size, place, handles } = batch;
    this.title.textContent = 'Not finished';
    this.body.replaceChildren(
      h('p', { class: 'strong', 'data-testid': 'left-summary' }, `${plural(files, 'file was', 'files were')} left unsent (${bytes(size)}), for ${visibleName(place)}.`),
      h('p', {}, handles.length > 0 ? 'Parts already there are not sent twice.' : 'To continue, drop the same folder again. Parts already there are not sent twice.'),
      h('p', { class: 'problem', role: 'alert' }, error),
      h('div', { class: 'buttons' },
        h('button', { type: 'button', 'data-testid': 'left-forget', onclick: () => this.intake.forget(batch) }, 'Forget it'),
        handles.length > 0 && h('button', { type: 'button', class: 'solid', 'data-testid': 'left-continue', onclick: () => this.intake.goOn(batch) }, 'Continue')));
  }

  drawProgress() {
    const { session } = this;
    const { counts } = session;
    const { finished, found } = session;
    this.title.textContent = finished ? 'Done' : session.paused ? 'Paused' : session.away ? 'Waiting for the server' : 'Archiving';
    Object.assign(this.summary.dataset, { found, sealed: counts.sealed, already: counts.already, failed: counts.failed, finished });
    this.summary.textContent = finished
      ? `Found ${count(found)} = sealed ${count(counts.sealed)} + already here ${count(counts.already)} + failed ${count(counts.failed)}.`
      : `${count(counts.sealed + counts.already)} of ${count(found)} sealed`;
    const total = Math.max(1, session.totalBytes);
    const endedPart = found > 0 ? session.ended / found : 0;
    this.bar.set(finished ? 1 : Math.max(session.sentBytes / total, endedPart), finished ? 1 : endedPart);
    this.states.textContent = [counts.sealed + counts.already > 0 && `${count(counts.sealed + counts.already)} sealed`, counts.queued > 0 && `${count(counts.queued)} queued`,
      counts.failed > 0 && `${count(counts.failed)} failed`].filter(Boolean).join(' · ');
    show(this.bar.element, !finished);
    show(this.legend, !finished);
    this.buttons.draw();
    if (finished) this.figures.textContent = counts.failed > 0 ? 'What failed was not archived; everything else is sealed.' : 'Everything is sealed. It can be proved from now on.';
    else if (this.figures.textContent === '' || session.away) this.drawFigures();
    this.speakProgress();
  }

  drawFigures() {
    const { session } = this;
    if (this.root.hidden || session.finished || session.found === 0) return;
    this.rate.sample(performance.now(), session.sentBytes);
    this.left.textContent = session.away || session.paused ? '' : timeLeft(this.rate.secondsFor(session.unsentBytes));
    this.figures.textContent = session.paused ? `${bytes(session.unsentBytes)} wait to be sent. What is queued will still be sealed.` : session.away
      ? 'Waiting for the server. What was sent is safe; the rest continues by itself.'
      : session.unsent ? `${bytes(session.sentBytes)} of ${bytes(session.totalBytes)} sent, ${bytes(this.rate.perSecond)}/s` : 'Queued: safe on the server, not sealed yet.';
  }

  speakProgress() {
    const { session } = this;
    const quarter = Math.floor((session.ended / Math.max(1, session.found)) * 4);
    if (session.finished && this.spokenQuarter < 4) {
      this.spokenQuarter = 4;
      speak(this.summary.textContent);
    } else if (!session.finished && quarter !== this.spokenQuarter) {
      if (quarter > this.spokenQuarter) speak(`${quarter * 25} percent sealed`);
      this.spokenQuarter = quarter;
    }
    if (session.counts.failed > this.spokenFailed && !session.finished) speak(`${plural(session.counts.failed, 'file')} failed`);
    this.spokenFailed = session.counts.failed;
  }
}

/** Two tones: what was sent behind, what is sealed in front. */
export function bar() {
  const sent = h('div', { class: 'sent' });
  const sealed = h('div', { class: 'sealed' });
  const element = h('div', { class: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-label': 'Sealed' }, sent, sealed);
  return {
    element,
    /** @param {number} sentPart @param {number} sealedPart */
    set(sentPart, sealedPart) {
      sent.style.transform = `scaleX(${Math.min(1, sentPart)})`;
      sealed.style.transform = `scaleX(${Math.min(1, sealedPart)})`;
      element.setAttribute('aria-valuenow', String(Math.round(sealedPart * 100)));
    },
  };
}

/** @param {import('../upload/collect.js').Found[]} unreadable */
function unreadableList(unreadable) {
  if (unreadable.length === 0) return '';
  const rest = unreadable.length - UNREADABLE_SHOWN;
  return h('details', { 'data-testid': 'drop-unreadable' }, h('summary', {}, `${plural(unreadable.length, 'entry', 'entries')} could not be read`),
    h('ul', {}, ...unreadable.slice(0, UNREADABLE_SHOWN).map(({ name, folders, error }) => h('li', {}, nameNode([...folders, name].join('/')), h('span', { class: 'meta' }, error))),
      rest > 0 && h('li', { class: 'meta' }, `and ${count(rest)} more`)));
}
