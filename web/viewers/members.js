// What an archive holds: every member with its size and date, narrowed by typing. Nothing is unpacked.

import { api } from '../api.js';
import { Rows } from '../components/rows.js';
import { bytes, count, dayAndTime, plural, visibleName } from '../lib/format.js';
import { h, icon, nameNode } from '../lib/html.js';

const ROW_REM = 2;
const PAGE = 1000;
/** Kept in the page to be narrowed by typing; what is beyond is in the archive all the same. */
const MEMBERS_MAX = 50_000;
const ICONS = { folder: 'collection', link: 'link', file: 'binary' };

/** @param {import('../components/viewer.js').Stage} stage */
export async function open({ box, tools, asset, signal, note, notice, fail }) {
  const first = await api.members(asset.id, 0, PAGE, signal);
  if (signal.aborted) return;
  const all = [...first.members];
  let shown = all;
  const view = h('div.members.scrolls', { tabindex: '0', role: 'table', 'aria-label': `Contents of ${visibleName(asset.filename)}`, testid: 'members-content' });
  const head = h('div.table-head', { role: 'row' }, ...[['Name', ''], ['Size', 'numeric'], ['Modified', 'date']].map(([label, kind]) => h('span', { role: 'columnheader', class: kind }, label)));
  const field = /** @type {HTMLInputElement} */ (h('input', { type: 'search', placeholder: 'Narrow', 'aria-label': 'Narrow by name', title: 'Narrow by name (/)', spellcheck: 'false', testid: 'members-filter' }));
  const said = h('output.counter', { 'aria-live': 'polite', testid: 'members-count' });
  box.append(view);
  tools.append(field, said);
  const rows = new Rows({
    box: view, rem: ROW_REM, head,
    failed: (error) => fail(error.message, error),
    fetchWindow: async (offset, limit) => ({ items: shown.slice(offset, offset + limit), total: shown.length }),
    row(element, index, member) {
      if (!member) return;
      const name = member.path.replace(/\/$/, '');
      const cut = name.lastIndexOf('/') + 1;
      element.setAttribute('aria-rowindex', String(index + 2));
      element.title = visibleName(member.path);
      element.replaceChildren(
        h('span', { role: 'cell', class: 'member' }, icon(ICONS[member.kind] ?? 'binary'), cut > 0 && h('span.folder', h('bdi', visibleName(name.slice(0, cut)))), nameNode(name.slice(cut)),
          member.target !== undefined && h('span.folder', '→ ', h('bdi', visibleName(member.target)))),
        h('span', { role: 'cell', class: 'numeric', title: plural(member.size, 'byte') }, member.kind === 'file' ? bytes(member.size) : ''),
        h('span', { role: 'cell', class: 'date' }, member.modified_unix_ms === null ? '' : dayAndTime(member.modified_unix_ms)));
    },
  });

  function narrow() {
    const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    shown = words.length === 0 ? all : all.filter(({ path }) => words.every((word) => path.toLocaleLowerCase().includes(word)));
    said.textContent = words.length === 0 ? '' : `${count(shown.length)} of ${count(all.length)}`;
    rows.reset();
  }
  field.addEventListener('input', narrow);
  note(`${first.format.toUpperCase()} · ${plural(first.total, 'member')} · ${bytes(first.bytes)} unpacked`);
  if (!first.complete) notice(first.message || 'This archive could be read only in part: it is cut short or damaged inside. What stands here was still found.');
  else if (first.message) notice(first.message);
  rows.cache.want(0, 80);
  if (document.activeElement === view.closest('dialog')) view.focus({ preventScroll: true });
  readOn().catch((error) => {
    if (!signal.aborted) notice(`The rest of the contents could not be read: ${error.message}`);
  });

  async function readOn() {
    while (all.length < Math.min(first.total, MEMBERS_MAX)) {
      const page = await api.members(asset.id, all.length, PAGE, signal);
      if (page.members.length === 0) return;
      all.push(...page.members);
      if (field.value) narrow();
    }
    if (first.total > MEMBERS_MAX) notice(`The first ${count(MEMBERS_MAX)} of ${count(first.total)} members are listed.`);
    if (!field.value && all.length > first.members.length) {
      rows.cache.reset();
      rows.cache.want(rows.scroller.first, rows.scroller.last + 80);
    }
  }
  return {
    end: () => rows.end(),
    /** @param {string} key */
    key(key) {
      if (key === 'Home' || key === 'End') rows.goTo(key === 'Home' ? 0 : rows.total - 1);
      else if (key === '/' || key === 'Ctrl+F') field.focus();
      else return false;
      return true;
    },
  };
}
