// What an archive holds: every member with its size and date, narrowed by typing. Nothing is unpacked.

import { api } from '../api.js';
import { bytes, count, dayAndTime, h, icon, nameNode, plural, set, textField, visibleName } from '../lib/html.js';
import { showRows } from './shared.js';

const PAGE = 1000;
/** Kept in the page to be narrowed by typing; what is beyond is in the archive all the same. */
const MEMBERS_MAX = 50_000;
const ICONS = { folder: 'collection', link: 'link', file: 'binary' };

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { tools, asset, signal, note, notice } = stage;
  const { members: all, format, total, bytes: size, complete, message } = await api.members(asset.id, signal, { offset: 0, limit: PAGE });
  if (signal.aborted) return;
  let shown = all;
  const field = textField({ type: 'search', placeholder: 'Narrow', label: 'Narrow by name', title: 'Narrow by name (/)', id: 'members-filter', oninput: narrow });
  const said = h('output.counter#members-count', { 'aria-live': 'polite' });
  const find = () => field.focus();
  tools.append(field, said);
  const rows = showRows(stage, {
    look: 'members#members-content',
    what: 'Contents',
    head: h('div.table-head', { role: 'row' }, [['Name', ''], ['Size', 'numeric'], ['Modified', 'date']].map(([label, kind]) => h('span', { role: 'columnheader', class: kind }, label))),
    rem: 2,
    keys: { '/': find, 'Ctrl+F': find },
    fetchWindow: async (offset, limit) => ({ items: shown.slice(offset, offset + limit), total: shown.length }),
    row: (element, index, member) => member && drawMember(element, index, member),
  });

  function narrow() {
    const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    shown = words.length === 0 ? all : all.filter(({ path }) => words.every((word) => path.toLocaleLowerCase().includes(word)));
    said.textContent = words.length === 0 ? '' : `${count(shown.length)} of ${count(all.length)}`;
    rows.cache.reset();
    rows.scroller.jump(0);
    rows.cache.want(0, 80);
  }
  async function readOn() {
    const before = all.length;
    while (all.length < Math.min(total, MEMBERS_MAX)) {
      const { members } = await api.members(asset.id, signal, { offset: all.length, limit: PAGE });
      if (members.length === 0) return;
      all.push(...members);
      if (field.value) narrow();
    }
    if (total > MEMBERS_MAX) notice(`The first ${count(MEMBERS_MAX)} of ${count(total)} members are listed.`);
    if (field.value || all.length === before) return;
    rows.cache.reset();
    rows.cache.want(rows.scroller.first, rows.scroller.last + 80);
  }
  note(`${format.toUpperCase()} · ${plural(total, 'member')} · ${bytes(size)} unpacked`);
  if (message) notice(message);
  else if (!complete) notice('This archive could be read only in part: it is cut short or damaged inside. What stands here was still found.');
  readOn().catch((error) => notice(`The rest of the contents could not be read: ${error.message}`));
  return rows;
}

/** @param {HTMLElement} element @param {number} index @param {import('../api.js').Member} member */
function drawMember(element, index, { path, kind, size, modified_unix_ms: modified, target }) {
  const name = path.replace(/\/$/, '');
  const cut = name.lastIndexOf('/') + 1;
  const folder = (text) => h('bdi', visibleName(text));
  set(element, { rowindex: index + 2, title: visibleName(path) });
  element.replaceChildren(
    h('span.member', { role: 'cell' }, icon(ICONS[kind] ?? 'binary'), cut > 0 && h('span.folder', folder(name.slice(0, cut))), nameNode(name.slice(cut)),
      target !== undefined && h('span.folder', '→ ', folder(target))),
    h('span.numeric', { role: 'cell', title: plural(size, 'byte') }, kind === 'file' && bytes(size)),
    h('span.date', { role: 'cell' }, modified !== null && dayAndTime(modified)));
}
