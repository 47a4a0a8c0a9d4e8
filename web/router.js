// Every state has an address: which place, how it is listed, what is open over it. Parsing and formatting are pure; the
// Router keeps the browser's history in step and says when the address changed.

/**
 * @typedef {'home' | 'project' | 'collection' | 'uploads' | 'trust'} PlaceKind
 * @typedef {{kind: PlaceKind, id: number, as: '' | 'grid' | 'list', sort: string, types: string[], q: string,
 *   details: number, viewing: number, mode: string, at: {id: number, px: number} | null}} Route id, details and viewing are 0 where there
 *   is none; as is '' for the habit, mode '' for the usual way to
 *   look at what is viewed; at is the first entry seen and how far it is scrolled out, null at the top
 */

const SORT_KEYS = ['name', 'size', 'added', 'modified', 'type', 'rank'];
const TYPE_KEYS = ['image', 'video', 'audio', 'text', '3d', 'binary'];

/** @param {Partial<Route>} [from] @returns {Route} */
export function route(from = {}) {
  return { kind: 'home', id: 0, as: '', sort: 'name', types: [], q: '', details: 0, viewing: 0, mode: '', at: null, ...from };
}

/** @param {string} address path with query @returns {Route} */
export function parse(address) {
  const url = new URL(address, 'http://page.invalid');
  const found = placeOf(url.pathname);
  const params = url.searchParams;
  const as = params.get('as');
  return route({
    ...found,
    as: as === 'grid' || as === 'list' ? as : '',
    sort: validSort(params.get('sort'), params.get('q') ?? ''),
    types: (params.get('type') ?? '').split(',').filter((type) => TYPE_KEYS.includes(type)),
    q: params.get('q') ?? '',
    details: idOf(params.get('i')),
    viewing: idOf(params.get('v')),
    mode: idOf(params.get('v')) ? /^[a-z]{1,12}$/.exec(params.get('m') ?? '')?.[0] ?? '' : '',
    at: spotOf(params.get('at')),
  });
}

/** @param {string} path @returns {{kind: PlaceKind, id: number}} */
function placeOf(path) {
  const match = /^\/([pc])\/(\d{1,15})\/?$/.exec(path);
  if (match) return { kind: match[1] === 'p' ? 'project' : 'collection', id: Number(match[2]) };
  // `/search?q=` leads to the search of the whole vault, which is that of all projects.
  if (path === '/uploads' || path === '/trust') return { kind: path === '/trust' ? 'trust' : 'uploads', id: 0 };
  return { kind: 'home', id: 0 };
}

/** What is looked for comes best match first, everything else by name. @param {string} q */
export function usualSort(q) {
  return q ? 'rank' : 'name';
}

/** @param {string | null} sort @param {string} q */
function validSort(sort, q) {
  const key = sort?.replace(/^-/, '') ?? '';
  return sort && SORT_KEYS.includes(key) && (q || key !== 'rank') ? sort : usualSort(q);
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

/** @param {string | null} text */
function idOf(text) {
  return text && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
}

/** "ID~px". @param {string | null} text */
function spotOf(text) {
  const match = /^([1-9]\d{0,14})(?:~(\d{1,5}))?$/.exec(text ?? '');
  return match && { id: Number(match[1]), px: Number(match[2] ?? 0) };
}

/** What is usual is left out, so that addresses stay short. @param {Route} to @returns {string} */
export function format(to) {
  const paths = { home: '/', project: `/p/${to.id}`, collection: `/c/${to.id}`, uploads: '/uploads', trust: '/trust' };
  const params = new URLSearchParams();
  if (to.as) params.set('as', to.as);
  if (to.sort !== usualSort(to.q)) params.set('sort', to.sort);
  if (to.types.length > 0) params.set('type', to.types.join(','));
  if (to.q) params.set('q', to.q);
  if (to.details) params.set('i', String(to.details));
  if (to.viewing) params.set('v', String(to.viewing));
  if (to.viewing && to.mode) params.set('m', to.mode);
  if (to.at) params.set('at', `${to.at.id}~${to.at.px}`);
  // These are legal in a query and far easier to read than their codes.
  const query = params.toString().replaceAll('%2C', ',').replaceAll('%7E', '~').replaceAll('%3A', ':');
  return query ? `${paths[to.kind]}?${query}` : paths[to.kind];
}

/** Do both show the same rows? @param {Route} a @param {Route} b */
export function sameListing(a, b) {
  return a.kind === b.kind && a.id === b.id && a.sort === b.sort && a.q === b.q && a.types.join() === b.types.join();
}

/** @param {Route} a @param {Route} b */
export function samePlace(a, b) {
  return a.kind === b.kind && a.id === b.id;
}

/** Fires `change` with `{route, previous, memory}`; memory is what `remember` kept for this entry of the history. */
export class Router extends EventTarget {
  constructor() {
    super();
    this.current = parse(location.pathname + location.search);
    this.memory = history.state ?? {};
    this.pendingMemory = null;
    /** @type {ReturnType<typeof setTimeout> | null} */
    this.timer = null;
    history.scrollRestoration = 'manual';
    addEventListener('popstate', (event) => {
      this.cancelPending();
      this.moved(parse(location.pathname + location.search), event.state ?? {}, true);
    });
    addEventListener('pagehide', () => this.flush());
  }

  /** A new entry in the history. @param {Partial<Route>} change @param {Record<string, any>} [memory] */
  push(change, memory = {}) {
    this.flush();
    const next = changed(this.current, change);
    if (format(next) === format(this.current)) return;
    history.pushState(memory, '', format(next));
    this.moved(next, memory, false);
  }

  /** Another place; how things are listed is taken along, what was searched and opened is not. @param {PlaceKind} kind @param {number} [id] */
  go(kind, id = 0) {
    this.push({ kind, id, types: [], q: '', details: 0, viewing: 0 });
  }

  /** The same entry, with another address. @param {Partial<Route>} change */
  replace(change) {
    const next = changed(this.current, change);
    if (format(next) === format(this.current)) return;
    this.flush();
    // Other rows: where the person was among the old ones means nothing here.
    const memory = sameListing(next, this.current) ? this.memory : {};
    history.replaceState(memory, '', format(next));
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
    if (this.timer === null) return;
    this.cancelPending();
    history.replaceState(this.memory, '', format(this.current));
  }

  cancelPending() {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** @param {Route} next @param {Record<string, any>} memory @param {boolean} travelled by back or forward */
  moved(next, memory, travelled) {
    const previous = this.current;
    this.current = next;
    this.memory = memory;
    this.dispatchEvent(new CustomEvent('change', { detail: { route: next, previous, memory, travelled } }));
  }
}
