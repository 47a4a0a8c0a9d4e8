// The files of an upload as rows, however many there are, with a filter. Used in the panel and on the page of uploads.

import { bytes, count } from '../lib/format.js';
import { differs, h, icon, nameNode, redraw, setIcon, setText } from '../lib/html.js';
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

export class UploadRows {
  /** @param {import('../upload/session.js').UploadSession} session */
  constructor(session) {
    this.session = session;
    /** The person's choice, or '' for what fits the moment. */
    this.filter = '';
    /** @type {Item[]} */
    this.items = [];
    this.tabs = h('div.upload-tabs', { role: 'group', label: 'Which files' });
    this.list = h('div.upload-list', { role: 'list', tabindex: 0, label: 'Files', testid: 'upload-list' });
    this.scroller = new Scroller(this.list, { row: (index, recycled) => this.row(index, recycled) });
    new ResizeObserver(() => this.draw()).observe(this.list);
  }

  draw() {
    const { counts, items, finished } = this.session;
    const going = counts.waiting + counts.hashing + counts.receiving + counts.queued;
    const filter = this.filter || (finished ? (counts.failed > 0 ? 'failed' : 'all') : 'going');
    const tabs = [['all', 'All', items.length], ['going', 'In progress', going], ['failed', 'Failed', counts.failed]];
    if (differs(this.tabs, tabs, filter)) {
      redraw(this.tabs, tabs.map(([key, label, n]) => h('button', {
        'aria-pressed': key === filter, testid: `upload-tab-${key}`,
        onclick: () => {
          this.filter = String(key);
          this.scroller.jump(0);
          this.draw();
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
    const row = recycled ?? h('div.row', { role: 'listitem', testid: 'upload-row' },
      h('span.mark', icon('clock')), h('div.what', h('div.title'), h('div.why')), h('span.state', h('span'),
        h('button.link', { testid: 'upload-retry-one', onclick: () => this.session.retry([this.items[row.dataset.at]]) }, 'Retry')));
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
    setText(why, failed ? item.error : [bytes(item.size), item.where].filter(Boolean).join(' · '));
    why.title = failed ? item.error : '';
    setText(says, state === 'receiving' && item.size > 0 ? `${word} ${Math.floor((item.sent / item.size) * 100)} %` : word);
    retry.hidden = !failed;
    return row;
  }
}
