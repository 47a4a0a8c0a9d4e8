// Anything by a few letters: places and actions at once, assets as the server finds them. A combobox in a dialog; what is
// marked stays marked by what it is while results arrive.

import { api } from '../api.js';
import { shownKey } from '../actions.js';
import { eachLimited } from '../lib/queue.js';
import { findHits, fold } from '../lib/hits.js';
import { h, icon } from '../lib/html.js';
import { splitName, visibleName } from '../lib/format.js';
import { iconOf } from './cells.js';

const ASK_MS = 120;
const PLACES_MOST = 12;
const ACTIONS_MOST = 12;
const ASSETS_MOST = 12;
/** Projects whose collections are fetched for a look-up. */
const BRANCHES_MOST = 200;

/** @typedef {{key: string, glyph: string, name: string, more: string, keys?: string, why?: string, run: () => void}} Entry */

export class Palette {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {{actions: import('../actions.js').Actions, places: import('../state.js').Places, router: import('../router.js').Router}} parts
   */
  constructor(dialog, { actions, places, router }) {
    this.dialog = dialog;
    this.actions = actions;
    this.places = places;
    this.router = router;
    this.active = '';
    /** @type {Entry[]} */
    this.assets = [];
    /** @type {Entry[]} */
    this.shown = [];
    /** @type {AbortController | null} */
    this.asking = null;
    this.field = h('input', {
      type: 'text', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'palette-list', 'aria-autocomplete': 'list', label: 'Go to or do',
      placeholder: 'A place, an asset, or > for actions', autocomplete: 'off', spellcheck: 'false', testid: 'palette-field',
      oninput: () => this.changed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
    });
    this.list = h('div', { role: 'listbox', id: 'palette-list', label: 'Results', testid: 'palette-list' });
    this.none = h('p.hint', { role: 'status' });
    dialog.replaceChildren(h('div.palette-field', icon('search'), this.field), this.list, this.none);
    dialog.onclick = (event) => {
      if (event.target === dialog) dialog.close();
    };
    dialog.onclose = () => this.asking?.abort();
  }

  open() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    /** Whether an action makes sense is asked of where the person was. @type {Map<string, boolean>} */
    this.enabled = new Map([...this.actions.table.values()].map(({ id, enabled }) => [id, !enabled || enabled()]));
    this.before = focused;
    this.dialog.showModal();
    this.field.focus();
    this.changed();
    void this.loadBranches();
  }

  async loadBranches() {
    const projects = (this.places.projects ?? []).filter(({ id, collections }) => collections > 0 && !this.places.branches.has(id)).slice(0, BRANCHES_MOST);
    await eachLimited(projects, 3, async ({ id }) => {
      await this.places.branch(id).catch(() => {});
    });
    if (this.dialog.open) this.draw();
  }

  get actionsOnly() {
    return this.field.value.startsWith('>');
  }

  get words() {
    return fold(this.field.value.replace(/^>/, '')).trim().split(/\s+/).filter(Boolean);
  }

  changed() {
    this.active = '';
    this.draw();
    clearTimeout(this.timer);
    this.asking?.abort();
    const q = this.field.value.trim();
    if (this.actionsOnly || q === '') {
      this.assets = [];
      this.draw();
      return;
    }
    this.timer = setTimeout(async () => {
      const asking = new AbortController();
      this.asking = asking;
      const page = await api.assets({ kind: 'home', id: 0 }, { offset: 0, limit: ASSETS_MOST, q, sort: 'rank' }, asking.signal).catch(() => null);
      if (!page || asking.signal.aborted) return;
      this.assets = page.assets.map((asset) => ({
        key: `a/${asset.id}`, glyph: iconOf(asset), name: asset.filename, more: asset.path?.slice(0, asset.path.lastIndexOf('/')) ?? '',
        run: () => this.router.push({ kind: 'collection', id: asset.collection_id ?? 0, q: '', types: [], details: 0, viewing: asset.id }),
      }));
      this.draw();
    }, ASK_MS);
  }

  /** @returns {[string, Entry[]][]} */
  groups() {
    const { words } = this;
    const good = (/** @type {Entry} */ { name, more }) => words.every((word) => fold(`${more} ${name}`).includes(word));
    const actions = [...this.actions.table.values()].filter(({ id }) => id !== 'palette').map((action) => ({
      key: action.id, glyph: action.icon ?? 'chevron', name: action.label, more: '', keys: action.keys?.[0] && shownKey(action.keys[0]),
      why: this.enabled?.get(action.id) ? undefined : action.why?.() ?? 'not now', run: action.run,
    })).filter(good).sort((a, b) => Number(a.why !== undefined) - Number(b.why !== undefined));
    if (this.actionsOnly) return [['Actions', actions]];
    return [['Places', this.placeEntries().filter(good).sort((a, b) => score(b.name, words) - score(a.name, words)).slice(0, PLACES_MOST)],
      ['Actions', actions.filter(({ why }) => why === undefined).slice(0, ACTIONS_MOST)], ['Assets', this.assets]];
  }

  /** @returns {Entry[]} */
  placeEntries() {
    const { places, router } = this;
    const projects = (places.projects ?? []).map((project) => ({ key: `p/${project.id}`, glyph: 'project', name: project.name, more: '', run: () => router.go('project', project.id) }));
    const collections = [...places.branches.values()].flatMap(({ list }) => list).map((collection) => ({
      key: `c/${collection.id}`, glyph: 'collection', name: collection.name,
      more: places.pathTo(collection).slice(0, -1).map(({ name }) => name).join('/'), run: () => router.go('collection', collection.id),
    }));
    return [...projects, ...collections];
  }

  draw() {
    const groups = this.groups().filter(([, entries]) => entries.length > 0);
    this.shown = groups.flatMap(([, entries]) => entries);
    if (!this.shown.some(({ key }) => key === this.active)) this.active = this.shown[0]?.key ?? '';
    this.list.replaceChildren(...groups.map(([title, entries]) => h('div', { role: 'group', label: title },
      h('div.group-title', { 'aria-hidden': 'true' }, title), ...entries.map((entry) => this.option(entry)))));
    this.none.textContent = this.shown.length === 0 ? 'Nothing by that name.' : '';
    this.mark();
  }

  /** @param {Entry} entry */
  option(entry) {
    return h('div', {
      role: 'option', id: `palette-${entry.key}`, 'data-key': entry.key, testid: 'palette-option', 'aria-disabled': entry.why === undefined ? null : 'true',
      onclick: () => this.run(entry),
    }, icon(entry.glyph), h('bdi.what', ...marked(visibleName(entry.name), this.words)), h('bdi.more', entry.why ?? visibleName(entry.more)),
    entry.keys && h('kbd', entry.keys));
  }

  mark() {
    for (const option of this.list.querySelectorAll('[role="option"]')) {
      const on = option.dataset.key === this.active;
      option.setAttribute('aria-selected', String(on));
      if (!on) continue;
      option.scrollIntoView({ block: 'nearest' });
      this.field.setAttribute('aria-activedescendant', option.id);
    }
    if (this.active === '') this.field.removeAttribute('aria-activedescendant');
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const at = this.shown.findIndex(({ key }) => key === this.active);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, this.shown.length - 1), PageUp: Math.max(at - 8, 0) };
    const to = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (to !== undefined && this.shown.length > 0) {
      event.preventDefault();
      this.active = this.shown[(to + this.shown.length) % this.shown.length].key;
      this.mark();
    } else if (event.key === 'Enter' && !event.isComposing) {
      event.preventDefault();
      if (this.shown[at]) this.run(this.shown[at]);
    } else if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.dialog.close();
    }
  }

  /** @param {Entry} entry */
  run(entry) {
    if (entry.why !== undefined) return;
    this.dialog.close();
    this.before?.focus({ preventScroll: true });
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
