// The files of an upload as rows, however many there are, with a filter. Used in the panel and on the page of uploads.

import { bytes, count } from '../lib/format.js';
import { h, icon, nameNode, setIcon, setText } from '../lib/html.js';
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

export class UploadRows {
  /** @param {import('../upload/session.js').UploadSession} session */
  constructor(session) {
    this.session = session;
    /** The person's choice, or '' for what fits the moment. */
    this.filter = '';
    /** @type {Item[]} */
    this.items = [];
    this.tabs = h('div', { class: 'upload-tabs', role: 'group', 'aria-label': 'Which files' });
    this.list = h('div', { class: 'upload-list', role: 'list', tabindex: '0', 'aria-label': 'Files', 'data-testid': 'upload-list' });
    this.scroller = new Scroller(this.list, { row: (index, recycled) => this.row(index, recycled) });
    new ResizeObserver(() => this.draw()).observe(this.list);
  }

  draw() {
    const { counts, items, finished } = this.session;
    const going = counts.waiting + counts.hashing + counts.receiving + counts.queued;
    const filter = this.filter || (finished ? (counts.failed > 0 ? 'failed' : 'all') : 'going');
    const tabs = [['all', 'All', items.length], ['going', 'In progress', going], ['failed', 'Failed', counts.failed]];
    const look = JSON.stringify([tabs, filter]);
    if (this.tabs.dataset.look !== look) {
      this.tabs.dataset.look = look;
      const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.tab;
      const mine = this.tabs.contains(document.activeElement);
      this.tabs.replaceChildren(...tabs.map(([key, label, n]) => h('button', {
        type: 'button', 'aria-pressed': String(key === filter), 'data-tab': key, 'data-testid': `upload-tab-${key}`,
        onclick: () => {
          this.filter = String(key);
          this.scroller.jump(0);
          this.draw();
        },
      }, `${label} ${count(Number(n))}`)));
      if (mine && focused) this.tabs.querySelector(`[data-tab="${focused}"]`)?.focus();
    }
    this.items = filter === 'all' ? items : items.filter((item) => (filter === 'failed' ? item.state === 'failed' : !['sealed', 'already', 'failed'].includes(item.state)));
    if (filter === 'going') this.items.sort((a, b) => Number(a.state === 'waiting') - Number(b.state === 'waiting') || a.number - b.number);
    if (this.list.clientHeight === 0) return;
    this.scroller.resize({ rows: this.items.length, pitch: ROW_PX });
    this.scroller.redraw();
  }

  /** @param {number} index @param {any} recycled */
  row(index, recycled) {
    const row = recycled ?? h('div', { class: 'row', role: 'listitem', 'data-testid': 'upload-row' },
      h('span', { class: 'mark' }, icon('clock')), h('div', { class: 'what' }, h('div', { class: 'title' }), h('div', { class: 'why' })), h('span', { class: 'state' }));
    const item = this.items[index];
    if (!item) return row;
    const [word, glyph] = STATES[item.state];
    const [mark, what, state] = row.children;
    row.dataset.state = item.state;
    row.dataset.name = item.name;
    setIcon(mark.firstElementChild, glyph);
    if (what.firstElementChild.title !== item.name) {
      what.firstElementChild.title = item.name;
      what.firstElementChild.replaceChildren(nameNode(item.name));
    }
    setText(what.lastElementChild, item.state === 'failed' ? item.error : [bytes(item.size), item.where].filter(Boolean).join(' · '));
    what.lastElementChild.title = item.state === 'failed' ? item.error : '';
    const text = item.state === 'receiving' && item.size > 0 ? `${word} ${Math.floor((item.sent / item.size) * 100)} %` : word;
    if (item.state === 'failed') {
      if (!state.querySelector('button')) {
        state.replaceChildren(h('span', {}, text), h('button', { type: 'button', class: 'link', 'data-testid': 'upload-retry-one', onclick: () => this.session.retry([this.items[Number(row.dataset.at)]]) }, 'Retry'));
      }
    } else {
      setText(state, text);
    }
    row.dataset.at = String(index);
    return row;
  }
}
