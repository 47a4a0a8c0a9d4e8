// Anything by a few letters: places and actions at once, assets as the server finds them. A combobox in a dialog; what is
// marked stays marked by what it is while results arrive.

import { api } from '../api.js';
import { shownKey } from '../actions.js';
import { eachLimited } from '../lib/queue.js';
import { findHits, fold } from '../lib/hits.js';
import { byId, h, icon, openDialog, splitName, textField, visibleName } from '../lib/html.js';
import { iconOf } from './cells.js';
import { combobox } from './combobox.js';

const ASK_MS = 120;
/** Of places, of actions and of assets. */
const SHOWN_MOST = 12;
/** Projects whose collections are fetched for a look-up. */
const BRANCHES_MOST = 200;

/** @typedef {{key: string, glyph: string, name: string, more: string, keys?: string, why?: string, run: () => void}} Entry */

/**
 * @param {{actions: import('../actions.js').Actions, places: import('../state.js').Places, router: import('../router.js').Router}} parts
 */
export function openPalette({ actions, places, router }) {
  const dialog = byId('palette');
  /** What is marked. */
  let active = '';
  /** @type {Entry[]} */
  let assets = [];
  /** @type {Entry[]} */
  let shown = [];
  let asking = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {any} */
  const before = document.activeElement;
  /** Whether an action makes sense is asked of where the person was. @type {Map<string, boolean>} */
  const enabled = new Map([...actions.table.values()].map(({ id, enabled }) => [id, !enabled || enabled()]));
  const field = textField({ label: 'Go to or do', placeholder: 'A place, an asset, or > for actions', id: 'palette-field', oninput: changed, onkeydown: onKey });
  const list = h('div#palette-list', { label: 'Results' });
  const none = h('p.hint', { role: 'status' });
  const box = combobox(field, list);
  dialog.replaceChildren(h('div.palette-field', icon('search'), field), list, none);
  dialog.onclose = () => asking.abort();
  openDialog(dialog);
  field.focus();
  changed();
  loadBranches();

  async function loadBranches() {
    const projects = (places.projects ?? []).filter(({ id, collections }) => collections > 0 && !places.branches.has(id)).slice(0, BRANCHES_MOST);
    await eachLimited(projects, 3, ({ id }) => places.branch(id).catch(() => {}));
    if (dialog.open) draw();
  }

  function actionsOnly() {
    return field.value.startsWith('>');
  }

  function changed() {
    active = '';
    clearTimeout(timer);
    asking.abort();
    const q = field.value.trim();
    if (actionsOnly() || q === '') assets = [];
    else timer = setTimeout(ask, ASK_MS, q);
    draw();
  }

  /** @param {string} q */
  async function ask(q) {
    asking = new AbortController();
    const { signal } = asking;
    const page = await api.assets({ kind: 'home' }, { limit: SHOWN_MOST, q, sort: 'rank' }, signal).catch(() => null);
    if (!page || signal.aborted) return;
    assets = page.assets.map((asset) => ({
      key: `a/${asset.id}`, glyph: iconOf(asset), name: asset.filename, more: asset.path?.slice(0, asset.path.lastIndexOf('/')) ?? '',
      run: () => router.push({ kind: 'collection', id: asset.collection_id ?? 0, q: '', types: [], details: 0, viewing: asset.id }),
    }));
    draw();
  }

  /** @param {string[]} words @returns {[string, Entry[]][]} */
  function groups(words) {
    /**  */
    const good = ({ name, more }) => words.every((word) => fold(`${more} ${name}`).includes(word));
    const found = [...actions.table.values()].filter(({ id }) => id !== 'palette').map(({ id, icon: glyph = 'chevron', label, keys, why, run }) => ({
      key: id, glyph, name: label, more: '', keys: keys?.[0] && shownKey(keys[0]), why: enabled.get(id) ? undefined : why?.() ?? 'not now', run,
    })).filter(good).sort((a, b) => Number(a.why !== undefined) - Number(b.why !== undefined));
    if (actionsOnly()) return [['Actions', found]];
    return [['Places', placeEntries().filter(good).sort((a, b) => score(b.name, words) - score(a.name, words)).slice(0, SHOWN_MOST)],
      ['Actions', found.filter(({ why }) => why === undefined).slice(0, SHOWN_MOST)], ['Assets', assets]];
  }

  /** @returns {Entry[]} */
  function placeEntries() {
    /** @param {'project' | 'collection'} kind @param {any} place @param {string} [more] */
    const entry = (kind, { id, name }, more = '') => ({ key: `${kind[0]}/${id}`, glyph: kind, name, more, run: () => router.go(kind, id) });
    return [...(places.projects ?? []).map((project) => entry('project', project)), ...[...places.branches.values()].flatMap((branch) => branch.list.map(
      (collection) => entry('collection', collection, places.pathTo(collection).slice(0, -1).map(({ name }) => name).join('/'))))];
  }

  function draw() {
    const words = fold(field.value.replace(/^>/, '')).trim().split(/\s+/).filter(Boolean);
    const filled = groups(words).filter(([, entries]) => entries.length > 0);
    shown = filled.flatMap(([, entries]) => entries);
    list.replaceChildren(...filled.map(([title, entries]) => h('div', { role: 'group', label: title },
      h('div.group-title', { 'aria-hidden': true }, title), entries.map((entry) => option(entry, words)))));
    none.textContent = shown.length === 0 ? 'Nothing by that name.' : '';
    box.changed();
    mark(Math.max(0, shown.findIndex(({ key }) => key === active)));
  }

  /** @param {number} to */
  function mark(to) {
    box.mark(to);
    active = shown[box.active]?.key ?? '';
  }

  /** @param {Entry} entry @param {string[]} words */
  function option(entry, words) {
    const { key, glyph, name, more, keys, why } = entry;
    return h(`div#palette-${key}`, { role: 'option', 'data-key': key, 'aria-disabled': why === undefined ? null : true, onclick: () => run(entry) },
      icon(glyph), h('bdi.what.one-line', marked(visibleName(name), words)), h('bdi.more.one-line', why ?? visibleName(more)), keys && h('kbd', keys));
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const at = box.active;
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, shown.length - 1), PageUp: Math.max(at - 8, 0) };
    const to = steps[event.key];
    if (to !== undefined) mark(to);
    else if (event.key === 'Enter' && !event.isComposing) {
      if (shown[at]) run(shown[at]);
    } else if (event.key === 'k' && (event.ctrlKey || event.metaKey)) dialog.close();
    else return;
    event.preventDefault();
  }

  /** @param {Entry} entry */
  function run(entry) {
    if (entry.why !== undefined) return;
    dialog.close();
    before?.focus({ preventScroll: true });
    entry.run();
  }
}

/** A name that begins so stands before one that holds it. @param {string} name @param {string[]} words */
function score(name, words) {
  const plain = fold(splitName(name).stem);
  return words.reduce((sum, word) => sum + (plain === word ? 3 : plain.startsWith(word) ? 2 : plain.includes(word) ? 1 : 0), 0);
}

/** @param {string} text @param {string[]} words */
function marked(text, words) {
  const out = [];
  let at = 0;
  for (const [start, end] of findHits(text, words)) {
    out.push(text.slice(at, start), h('mark', text.slice(start, end)));
    at = end;
  }
  return [...out, text.slice(at)];
}
