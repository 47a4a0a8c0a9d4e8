// What the panel and the page of uploads show alike: the files as rows, however many there are, with a filter; the bar; what
// can be done with a running or ended upload; the account.

import { bytes, count, differs, dotted, h, icon, nameNode, redraw, set, setIcon, setText, show } from '../lib/html.js';
import { receiptOf, saveAs } from '../upload/receipt.js';
import { toast } from './messages.js';
import { Scroller } from './scroller.js';

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

export class UploadAccount {
  /** The person's choice, or '' for what fits the moment. */
  filter = '';
  /** @type {Item[]} */
  items = [];
  tabs = h('div.upload-tabs', { role: 'group', label: 'Which files' });
  list = h('div.upload-list', { role: 'list', tabindex: 0, label: 'Files' });

  sent = h('div.sent');
  sealed = h('div.sealed');
  /** Two tones: what was sent behind, what is sealed in front. */
  bar = h('div.bar', { role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100, label: 'Sealed' }, this.sent, this.sealed);

  /** @param {import('../upload/session.js').UploadSession} session @param {string} name the ids begin with it @param {import('../state.js').VaultStatus} status */
  constructor(session, name, status) {
    Object.assign(this, { session, name, status });
    this.pause = h(`button#${name}-pause`, { onclick: () => (session.paused ? session.resume() : session.pause()) }, icon('pause'), h('span'));
    this.cancel = h(`button#${name}-cancel`, { title: 'What was not sent is given up; what is queued will still be sealed.', onclick: () => session.cancel() }, 'Cancel the rest');
    this.retry = h(`button#${name}-retry`, { onclick: () => session.retry() });
    this.receipt = h(`button#${name}-receipt`, { title: 'Asset, SHA-256 and place in the log of each file, and the checkpoint', onclick: () => this.save() }, icon('download'), 'Save receipt');
    this.buttons = h('div.buttons', this.pause, this.cancel, this.retry, this.receipt);
    this.scroller = new Scroller(this.list, { row: (index, recycled) => this.row(index, recycled) });
    new ResizeObserver(() => this.drawFiles()).observe(this.list);
  }

  async save() {
    const { receipt, session, status } = this;
    receipt.disabled = true;
    await receiptOf(session, status.value?.vault.name ?? '').then(saveAs).catch((error) => toast(error.message));
    receipt.disabled = false;
  }

  /** @param {boolean} withFiles */
  draw(withFiles) {
    const { session, bar, pause, cancel, retry, receipt } = this;
    const { counts: { sealed, already, failed }, found, ended, finished, unsent, paused, sentBytes, totalBytes } = session;
    const share = ended / Math.max(1, found);
    this.sent.style.transform = `scaleX(${Math.min(1, Math.max(share, sentBytes / Math.max(1, totalBytes)))})`;
    this.sealed.style.transform = `scaleX(${share})`;
    set(bar, { 'aria-valuenow': Math.round(share * 100) });
    show(bar, found > 0 && !finished);
    for (const button of [pause, cancel]) show(button, unsent && !finished);
    show(retry, failed > 0);
    show(receipt, finished && sealed + already > 0);
    setIcon(pause.firstElementChild, paused ? 'play' : 'pause');
    pause.lastElementChild.textContent = paused ? 'Resume' : 'Pause';
    retry.textContent = `Retry ${count(failed)}`;
    for (const part of [this.tabs, this.list]) show(part, withFiles);
    if (withFiles) this.drawFiles();
  }

  drawFiles() {
    const { counts, items, ended, finished } = this.session;
    const filter = this.filter || (finished ? (counts.failed > 0 ? 'failed' : 'all') : 'going');
    const tabs = [['all', 'All', items.length], ['going', 'In progress', items.length - ended], ['failed', 'Failed', counts.failed]];
    if (differs(this.tabs, tabs, filter)) {
      redraw(this.tabs, tabs.map(([key, label, n]) => h(`button.plain#${this.name}-tab-${key}`, {
        pressed: key === filter,
        onclick: () => {
          this.filter = String(key);
          this.scroller.jump(0);
          this.drawFiles();
        },
      }, `${label} ${count(Number(n))}`)));
    }
    this.items = filter === 'all' ? items : items.filter(({ state }) => (filter === 'failed' ? state === 'failed' : !ENDED.includes(state)));
    if (filter === 'going') this.items.sort((a, b) => Number(a.state === 'waiting') - Number(b.state === 'waiting') || a.number - b.number);
    if (this.list.clientHeight === 0) return;
    this.scroller.resize({ rows: this.items.length, pitch: ROW_PX });
    this.scroller.redraw();
  }

  /** @param {number} index @param {any} recycled */
  row(index, recycled) {
    const row = recycled ?? h('div.row', { role: 'listitem' },
      h('span.mark', icon('clock')), h('div.what', h('div.title'), h('div.why')), h('span.state', h('span'),
        h('button.link', { onclick: () => this.session.retry([this.items[row.dataset.at]]) }, 'Retry')));
    const item = this.items[index];
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
}

/** The closed account. @param {import('../upload/session.js').UploadSession} session */
export function accountOf({ found, counts: { sealed, already, failed } }) {
  return `Found ${count(found)} = sealed ${count(sealed)} + already here ${count(already)} + failed ${count(failed)}.`;
}
