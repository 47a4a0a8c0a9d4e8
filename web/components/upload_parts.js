// What the panel and the page of uploads show alike: the files as rows, however many there are, with a filter; the bar; what
// can be done with a running or ended upload; the account.

import { bytes, count, differs, dotted, h, icon, nameNode, redraw, set, setIcon, setText, show } from '../lib/html.js';
import { receiptOf, saveAs } from '../upload/receipt.js';
import { toast } from './messages.js';
import { makeScroller } from './scroller.js';

const ROW_PX = 40;

/** @type {Record<string, [word: string, icon: string]>} */
const STATES = {
  waiting: ['waiting', 'clock'],
  hashing: ['hashing', 'clock'],
  receiving: ['receiving', 'upload'],
  queued: ['queued', 'clock'],
  sealed: ['sealed', 'check'],
  already: ['already here', 'check'],
  failed: ['failed', 'error'],
};

/** @typedef {import('../upload/session.js').Item} Item */

const ENDED = ['sealed', 'already', 'failed'];

/** @param {import('../upload/session.js').UploadSession} session @param {string} name the ids begin with it @param {import('../state.js').VaultStatus} status */
export function uploadAccount(session, name, status) {
  /** Which files the person chose to see, or '' for those that fit the moment. */
  let chosen = '';
  /** @type {Item[]} */
  let shown = [];
  const tabs = h('div.upload-tabs', { role: 'group', label: 'Which files' });
  const list = h('div.upload-list', { role: 'list', tabindex: 0, label: 'Files' });
  const files = [tabs, list];
  const scroller = makeScroller(list, { row: drawRow });
  new ResizeObserver(drawFiles).observe(list);
  // Two tones: what was sent behind, what is sealed in front.
  const sent = h('div.sent');
  const sealed = h('div.sealed');
  const bar = h('div.bar', { role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100, label: 'Sealed' }, sent, sealed);
  const pause = h(`button#${name}-pause`, { onclick: () => (session.paused ? session.resume() : session.pause()) }, icon('pause'), h('span'));
  const cancel = h(`button#${name}-cancel`, { title: 'What was not sent is given up; what is queued will still be sealed.', onclick: () => session.cancel() }, 'Cancel the rest');
  const retry = h(`button#${name}-retry`, { onclick: () => session.retry() });
  const receipt = h(`button#${name}-receipt`, { title: 'Asset, SHA-256 and place in the log of each file, and the checkpoint', onclick: save }, icon('download'), 'Save receipt');

  async function save() {
    receipt.disabled = true;
    await receiptOf(session, status.value?.vault.name ?? '').then(saveAs).catch((error) => toast(error.message));
    receipt.disabled = false;
  }

  /** @param {boolean} withFiles */
  function draw(withFiles) {
    const { counts, found, ended, finished, unsent, paused, sentBytes, totalBytes } = session;
    const share = ended / Math.max(1, found);
    sent.style.transform = `scaleX(${Math.min(1, Math.max(share, sentBytes / Math.max(1, totalBytes)))})`;
    sealed.style.transform = `scaleX(${share})`;
    set(bar, { 'aria-valuenow': Math.round(share * 100) });
    show(bar, found > 0 && !finished);
    for (const button of [pause, cancel]) show(button, unsent && !finished);
    show(retry, counts.failed > 0);
    show(receipt, finished && counts.sealed + counts.already > 0);
    setIcon(pause.firstElementChild, paused ? 'play' : 'pause');
    pause.lastElementChild.textContent = paused ? 'Resume' : 'Pause';
    retry.textContent = `Retry ${count(counts.failed)}`;
    for (const part of files) show(part, withFiles);
    if (withFiles) drawFiles();
  }

  function drawFiles() {
    const { counts, items, ended, finished } = session;
    const filter = chosen || (finished ? (counts.failed > 0 ? 'failed' : 'all') : 'going');
    const choices = [['all', 'All', items.length], ['going', 'In progress', items.length - ended], ['failed', 'Failed', counts.failed]];
    if (differs(tabs, choices, filter)) {
      redraw(tabs, choices.map(([key, label, n]) => h(`button.plain#${name}-tab-${key}`, {
        pressed: key === filter,
        onclick: () => {
          chosen = key;
          scroller.jump(0);
          drawFiles();
        },
      }, `${label} ${count(n)}`)));
    }
    shown = filter === 'all' ? items : items.filter(({ state }) => (filter === 'failed' ? state === 'failed' : !ENDED.includes(state)));
    if (filter === 'going') shown.sort((a, b) => Number(a.state === 'waiting') - Number(b.state === 'waiting') || a.number - b.number);
    if (list.clientHeight === 0) return;
    scroller.resize({ rows: shown.length, pitch: ROW_PX });
    scroller.redraw();
  }

  /** @param {number} index @param {any} recycled */
  function drawRow(index, recycled) {
    const row = recycled ?? h('div.row', { role: 'listitem' },
      h('span.mark', icon('clock')), h('div.what', h('div.title'), h('div.why')), h('span.state', h('span'),
        h('button.link', { onclick: () => session.retry([shown[row.dataset.at]]) }, 'Retry')));
    const item = shown[index];
    if (!item) return row;
    const { name, state } = item;
    const [mark, { children: [title, why] }, { children: [says, retry] }] = row.children;
    const failed = state === 'failed';
    const [word, glyph] = STATES[state];
    Object.assign(row.dataset, { state, name, at: index });
    setIcon(mark.firstElementChild, glyph);
    if (differs(title, name)) title.replaceChildren(nameNode(name));
    title.title = name;
    setText(why, failed ? item.error : dotted(bytes(item.size), item.where));
    why.title = failed ? item.error : '';
    setText(says, state === 'receiving' && item.size > 0 ? `${word} ${Math.floor((item.sent / item.size) * 100)} %` : word);
    retry.hidden = !failed;
    return row;
  }

  return {
    bar,
    buttons: h('div.buttons', pause, cancel, retry, receipt),
    files,
    draw,
    /** Shows those files that fit the moment again. */
    unfilter() {
      chosen = '';
    },
  };
}

/** The closed account. @param {import('../upload/session.js').UploadSession} session */
export function accountOf({ found, counts: { sealed, already, failed } }) {
  return `Found ${count(found)} = sealed ${count(sealed)} + already here ${count(already)} + failed ${count(failed)}.`;
}
