// The upload panel: says what was found and where it goes before anything is archived, shows what happens to each file, and
// closes the account. It stays until the person closes it.

import { AWAY, DROP_AGAIN, PERMANENT, byId, bytes, count, dotted, entries, h, iconButton, nameNode, plural, problem, set, setText, show, soon, textField, timeLeft, visibleName } from '../lib/html.js';
import { Rate } from '../upload/rate.js';
import { speak } from './messages.js';
import { accountOf, uploadAccount } from './upload_parts.js';

const DRAW_MS = 200;
const FIGURES_MS = 1000;
const UNREADABLE_SHOWN = 100;

/** @param {{session: import('../upload/session.js').UploadSession, intake: import('../upload/intake.js').Intake, places: import('../state.js').Places, status: import('../state.js').VaultStatus}} parts */
export function uploadPanel({ session, intake, places, status }) {
  const root = byId('upload-panel');
  let hiddenByPage = false;
  let small = false;
  /** Shows what a drop asks for, once. @type {any} */
  let asked = null;
  let spokenQuarter = 0;
  let spokenFailed = 0;
  let rate = new Rate();
  const title = h('h2');
  const body = h('div.upload-body');
  const states = h('span');
  const left = h('span');
  const summary = h('p.strong#upload-summary');
  const figures = h('p.meta');
  const legend = h('div.bar-legend', states, left);
  const account = uploadAccount(session, 'upload', status);
  const progress = [summary, account.bar, legend, figures, account.buttons];
  const fold = iconButton('minus', '', () => setSmall(!small));
  const closeButton = iconButton('close', 'Close', close, { label: 'Close the account', id: 'upload-close' });
  /** What there is to see of each phase. @type {Record<string, (phase: any) => void>} */
  const drawPhase = {
    idle: drawProgress,
    looking: ({ found }) => say('Looking', h('p', `Found ${plural(found, 'file')} so far`)),
    asking: drawQuestion,
    preparing: () => say('Looking', h('p', 'Making the collections')),
    left: drawLeft,
    failed: ({ message }) => say('Not archived', problem(message)),
  };

  /** @param {boolean} next */
  function setSmall(next) {
    small = next;
    set(fold, { tip: small ? 'Show the files' : 'Hide the files', expanded: !small });
    draw();
  }

  function close() {
    if (intake.phase.state === 'asking') intake.answer?.(null);
    else if (intake.phase.state !== 'idle') intake.become('idle');
    if (session.finished) {
      session.clear();
      account.unfilter();
      spokenQuarter = 0;
      spokenFailed = 0;
      rate = new Rate();
    }
    draw();
  }

  function draw() {
    const { phase } = intake;
    const { state } = phase;
    const busy = state !== 'idle';
    const shown = busy || (session.found > 0 && !hiddenByPage);
    show(root, shown);
    if (!shown) return;
    root.dataset.state = busy ? state : session.finished ? 'finished' : 'running';
    show(closeButton, busy ? state !== 'looking' && state !== 'preparing' : session.finished);
    show(fold, !busy);
    account.draw(!busy && !small);
    if (state !== 'asking') asked = null;
    drawPhase[state](phase);
  }

  /** @param {string} words @param {...any} children */
  function say(words, ...children) {
    title.textContent = words;
    body.replaceChildren(...children);
  }

  /** @param {{question: import('../upload/intake.js').Question, error: string}} phase */
  function drawQuestion({ question, error }) {
    if (asked?.question === question) {
      asked.failed.textContent = error;
      return;
    }
    const { known, unreadable, files, bytes: size, project, place } = question;
    /** @param {'project' | 'collection'} name @param {string} label @param {Record<string, any>} [more] */
    const field = (name, label, more) => question[name] !== null && h('label', label,
      textField({ name, value: question[name], required: true, maxlength: 1024, id: `drop-${name}-field`, ...more }));
    const failed = problem(error);
    const already = h('p#drop-known', { role: 'status' });
    const button = h('button.solid#drop-start', { type: 'submit' });
    const drawKnown = () => {
      const n = known.already.size;
      const rest = files - unreadable.length - n;
      setText(already, n > 0 ? `${plural(n, 'file is', 'files are')} already here and will not be sent. ${count(rest)} new, ${bytes(size - known.bytes)}.` : '');
      setText(button, rest > 0 || files === 0 ? `Archive ${plural(rest, 'file')}` : 'Done');
    };
    known.on('found', drawKnown);
    drawKnown();
    const cancel = () => intake.answer?.(null);
    const form = h('form', {
      onsubmit(event) {
        event.preventDefault();
        const given = new FormData(form);
        /** @param {string} name */
        const word = (name) => String(given.get(name) ?? '').trim();
        intake.answer?.({ project: word('project'), collection: word('collection') });
      },
      onkeydown: ({ key }) => key === 'Escape' && cancel(),
    },
    field('project', 'Project', { list: 'project-names' }), h('datalist#project-names', (places.projects ?? []).map(({ name: value }) => h('option', { value }))),
    field('collection', 'Collection for the files that are in no folder'),
    failed,
    h('p.hint', `${PERMANENT} Names are permanent.`),
    h('div.buttons', h('button#drop-cancel', { onclick: cancel }, 'Cancel'), button));
    say(project === null ? '' : 'Where should this go?', h('p.strong#drop-found', `Found ${plural(files, 'file')}, ${bytes(size)}.`), already, unreadableList(unreadable), form);
    if (project === null) title.append('Add to ', h('bdi', visibleName(place)));
    asked = { question, failed };
    const first = form.querySelector('input');
    (first ?? button).focus();
    first?.select();
  }

  /** @param {{batch: import('../upload/kept.js').Batch, error: string}} phase */
  function drawLeft({ batch, error }) {
    const { files, bytes: size, place, handles } = batch;
    const kept = handles.length > 0;
    say('Not finished',
      h('p.strong#left-summary', `${plural(files, 'file was', 'files were')} left unsent (${bytes(size)}), for ${visibleName(place)}.`),
      h('p', kept ? 'Parts already there are not sent twice.' : DROP_AGAIN),
      problem(error),
      h('div.buttons',
        h('button', { onclick: () => intake.forget(batch) }, 'Forget it'),
        kept && h('button.solid', { onclick: () => intake.goOn(batch) }, 'Continue')));
  }

  function drawProgress() {
    const { finished, found, paused, away, counts } = session;
    const { already, failed, queued } = counts;
    const sealed = counts.sealed + already;
    if (body.firstChild !== summary) body.replaceChildren(...progress);
    title.textContent = finished ? 'Done' : paused ? 'Paused' : away ? 'Waiting for the server' : 'Archiving';
    Object.assign(summary.dataset, { found, sealed: counts.sealed, already, failed, finished });
    summary.textContent = finished ? accountOf(session) : `${count(sealed)} of ${count(found)} sealed`;
    states.textContent = dotted(...[[sealed, 'sealed'], [queued, 'queued'], [failed, 'failed']].map(([n, word]) => n > 0 && `${count(n)} ${word}`));
    show(legend, !finished);
    if (finished) figures.textContent = failed > 0 ? 'What failed was not archived; everything else is sealed.' : 'Everything is sealed. It can be proved from now on.';
    else if (figures.textContent === '' || away) drawFigures();
    speakProgress();
  }

  function drawFigures() {
    const { away, paused, unsent, unsentBytes, sentBytes, totalBytes, finished, found } = session;
    if (root.hidden || finished || found === 0) return;
    rate.sample(performance.now(), sentBytes);
    left.textContent = away || paused ? '' : timeLeft(rate.secondsFor(unsentBytes));
    figures.textContent = paused ? `${bytes(unsentBytes)} wait to be sent. What is queued will still be sealed.`
      : away ? AWAY
        : unsent ? `${bytes(sentBytes)} of ${bytes(totalBytes)} sent, ${bytes(rate.perSecond)}/s` : 'Queued: safe on the server, not sealed yet.';
  }

  function speakProgress() {
    const { finished, ended, found, counts: { failed } } = session;
    const quarter = finished ? 4 : Math.floor((ended / Math.max(1, found)) * 4);
    if (quarter > spokenQuarter) speak(finished ? summary.textContent : `${quarter * 25} percent sealed`);
    if (failed > spokenFailed && !finished) speak(`${plural(failed, 'file')} failed`);
    spokenQuarter = quarter;
    spokenFailed = failed;
  }

  root.append(h('header.upload-head', title, fold, closeButton), body, ...account.files);
  session.on('change', soon(draw, DRAW_MS));
  intake.on('change', draw);
  intake.on('started', account.unfilter);
  setInterval(drawFigures, FIGURES_MS);
  setSmall(false);

  return {
    /** The page of uploads shows the account itself. @param {boolean} hidden */
    hideForPage(hidden) {
      hiddenByPage = hidden;
      draw();
    },
  };
}

/** @param {import('../upload/collect.js').Found[]} unreadable */
function unreadableList(unreadable) {
  const rest = unreadable.length - UNREADABLE_SHOWN;
  return unreadable.length === 0 ? '' : h('details', h('summary', `${entries(unreadable.length)} could not be read`),
    h('ul', unreadable.slice(0, UNREADABLE_SHOWN).map(({ name, folders, error }) => h('li', nameNode([...folders, name].join('/')), h('span.meta', error))),
      rest > 0 && h('li.meta', `and ${count(rest)} more`)));
}
