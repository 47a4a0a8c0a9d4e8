// Every state has an address: which place, how it is listed, what is open over it. Parsing and formatting are pure; the
// Router keeps the browser's history in step and says when the address changed.

import { Emitter } from './lib/emitter.js';
import { TYPES } from './lib/format.js';

/**
 * @typedef {'home' | 'project' | 'collection' | 'uploads' | 'trust'} PlaceKind
 * @typedef {{kind: PlaceKind, id: number, as: '' | 'grid' | 'list', sort: string, types: string[], q: string,
 *   details: number, viewing: number, mode: string, at: {id: number, px: number} | null}} Route id, details and viewing are 0 where there
 *   is none; as is '' for the habit, mode '' for the usual way to
 *   look at what is viewed; at is the first entry seen and how far it is scrolled out, null at the top
 */

const SORT_KEYS = ['name', 'size', 'added', 'modified', 'type', 'rank'];

/** @param {Partial<Route>} [from] @returns {Route} */
export function route(from = {}) {
  return { kind: 'home', id: 0, as: '', sort: 'name', types: [], q: '', details: 0, viewing: 0, mode: '', at: null, ...from };
}

/** @param {string} address path with query @returns {Route} */
export function parse(address) {
  const { pathname, searchParams } = new URL(address, 'http://page.invalid');
  const { as = '', sort = '', type = '', q = '', i, v, m = '', at = '' } = Object.fromEntries(searchParams);
  const [, letter, id, page] = /^\/(?:([pc])\/(\d{1,15})\/?|(uploads|trust))$/.exec(pathname) ?? [];
  const [, seen, px = 0] = /^([1-9]\d{0,14})(?:~(\d{1,5}))?$/.exec(at) ?? [];
  const viewing = idOf(v);
  return route({
    // `/search?q=` leads to the search of the whole vault, which is that of all projects.
    kind: page ?? { p: 'project', c: 'collection' }[letter] ?? 'home',
    id: Number(id ?? 0),
    as: ['grid', 'list'].includes(as) ? as : '',
    sort: validSort(sort, q),
    types: type.split(',').filter((one) => TYPES.includes(one)),
    q,
    details: idOf(i),
    viewing,
    mode: viewing && /^[a-z]{1,12}$/.test(m) ? m : '',
    at: seen ? { id: Number(seen), px: Number(px) } : null,
  });
}

/** What a project or a collection is called in addresses. @param {any} place as the server tells of it @returns {{kind: 'project' | 'collection', id: number}} */
export function placeOf(place) {
  return { kind: 'project_id' in place ? 'collection' : 'project', id: place.id };
}

/** "p/1", "c/2"; "home" for what is neither. @param {{kind: PlaceKind, id: number}} place */
export function placeKey({ kind, id }) {
  return kind === 'project' || kind === 'collection' ? `${kind[0]}/${id}` : 'home';
}

/** Is it a page of its own and not a listing? @param {Route} route */
export function isPage({ kind }) {
  return kind === 'uploads' || kind === 'trust';
}

/** What is looked for comes best match first, everything else by name. @param {string} q */
export function usualSort(q) {
  return q ? 'rank' : 'name';
}

/** @param {string} sort @param {string} q */
function validSort(sort, q) {
  const key = sort.replace(/^-/, '');
  return SORT_KEYS.includes(key) && (q || key !== 'rank') ? sort : usualSort(q);
}

/** A change of the words changes the order with them, unless the person chose one. @param {Route} from @param {Partial<Route>} change */
function changed(from, change) {
  const next = route({ ...from, ...change });
  if (change.sort === undefined && next.q !== from.q && from.sort === usualSort(from.q)) next.sort = usualSort(next.q);
  next.sort = validSort(next.sort, next.q);
  if (next.viewing !== from.viewing && change.mode === undefined) next.mode = '';
  // Among other rows a spot means nothing.
  if (change.at === undefined && !sameListing(from, next)) next.at = null;
  return next;
}

/** @param {string} [text] */
function idOf(text = '') {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
}

/** What is usual is left out, so that addresses stay short. @param {Route} to @returns {string} */
export function format(to) {
  const { kind, as, sort, types, q, details, viewing, mode, at } = to;
  const path = isPage(to) ? kind : kind === 'home' ? '' : placeKey(to);
  const params = {
    as, sort: sort === usualSort(q) ? '' : sort, type: types.join(','), q, i: details, v: viewing, m: viewing && mode, at: at && `${at.id}~${at.px}`,
  };
  // These are legal in a query and far easier to read than their codes.
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value)).toString()
    .replaceAll('%2C', ',').replaceAll('%7E', '~').replaceAll('%3A', ':');
  return `/${path}${query && `?${query}`}`;
}

/** Do both show the same rows? @param {Route} a @param {Route} b */
export function sameListing(a, b) {
  return samePlace(a, b) && a.sort === b.sort && a.q === b.q && a.types.join() === b.types.join();
}

/** @param {Route} a @param {Route} b */
export function samePlace(a, b) {
  return a.kind === b.kind && a.id === b.id;
}

/** Fires `change` with `{route, previous, memory}`; memory is what `remember` kept for this entry of the history. */
export class Router extends Emitter {
  current = parse(location.pathname + location.search);
  memory = history.state ?? {};

  constructor() {
    super();
    history.scrollRestoration = 'manual';
    addEventListener('popstate', ({ state }) => {
      this.cancelPending();
      this.moved(parse(location.pathname + location.search), state ?? {}, true);
    });
    addEventListener('pagehide', () => this.flush());
  }

  /** A new entry in the history. @param {Partial<Route>} change @param {Record<string, any>} [memory] */
  push(change, memory = {}) {
    this.enter('pushState', change, () => memory);
  }

  /** Another place; how things are listed is taken along, what was searched and opened is not. @param {PlaceKind} kind @param {number} [id] */
  go(kind, id = 0) {
    this.push({ kind, id, types: [], q: '', details: 0, viewing: 0 });
  }

  /** @param {any} place a project or a collection as the server tells of it */
  goTo(place) {
    const { kind, id } = placeOf(place);
    this.go(kind, id);
  }

  /** The same entry, with another address. @param {Partial<Route>} change */
  replace(change) {
    // Other rows: where the person was among the old ones means nothing here.
    this.enter('replaceState', change, (next) => (sameListing(next, this.current) ? this.memory : {}));
  }

  /** @param {'pushState' | 'replaceState'} how @param {Partial<Route>} change @param {(next: Route) => Record<string, any>} memoryOf */
  enter(how, change, memoryOf) {
    const next = changed(this.current, change);
    if (format(next) === format(this.current)) return;
    this.flush();
    const memory = memoryOf(next);
    history[how](memory, '', format(next));
    this.moved(next, memory, false);
  }

  /**
   * Keeps something for when the person comes back to this entry. Written at most twice a second, because browsers stop
   * answering pages that write their history more often. The spot goes into the address, so that a copied one leads there.
   * @param {Record<string, any>} memory @param {Route['at']} [at]
   */
  remember(memory, at = this.current.at) {
    this.memory = { ...this.memory, ...memory };
    this.current = { ...this.current, at };
    this.timer ??= setTimeout(() => this.flush(), 500);
  }

  flush() {
    if (this.timer) history.replaceState(this.memory, '', format(this.current));
    this.cancelPending();
  }

  cancelPending() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** @param {Route} next @param {Record<string, any>} memory @param {boolean} travelled by back or forward */
  moved(next, memory, travelled) {
    const previous = this.current;
    this.current = next;
    this.memory = memory;
    this.emit('change', { route: next, previous, memory, travelled });
  }
}
