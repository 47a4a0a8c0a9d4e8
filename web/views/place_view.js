// A place and what is in it: path, toolbar, chips, listing, notes. Reads the address and asks the
// source.

import { addressOf, api } from '../api.js';
import { drawChips, drawRead, writtenTypes } from '../components/chips.js';
import { markHits } from '../components/hit_marks.js';
import { Listing } from '../components/listing.js';
import { speak } from '../components/messages.js';
import { bytes, plural, visibleName } from '../lib/format.js';
import { fold, wordsOf } from '../lib/hits.js';
import { byId, h, icon, setText, show } from '../lib/html.js';
import { Selection } from '../lib/selection.js';
import { Source } from '../lib/source.js';
import { foldMiddle } from '../lib/tree_model.js';
import { TILE_MIN } from '../lib/virtual_window.js';
import { format, route as makeRoute, sameListing, samePlace, usualSort } from '../router.js';
import { habits } from '../state.js';
import { LiveListing } from './live_listing.js';
import { emptyNote, errorNote, noMatchNote } from './notes.js';

const BUSY_MS = 400;
/** A count is spoken when typing has rested this long. */
const SPEAK_MS = 1000;
const TILE_SIZES = /** @type {(keyof typeof TILE_MIN)[]} */ (Object.keys(TILE_MIN));

/** Fires `selection`, `active` {index}, `place` when the place is known. */
export class PlaceView extends EventTarget {
  /** @param {{router: import('../router.js').Router, places: import('../state.js').Places, addFiles: () => void, addFolder: () => void, isOwn: (id: number) => boolean}} parts */
  constructor({ router, places, addFiles, addFolder, isOwn }) {
    super();
    this.router = router;
    this.places = places;
    this.add = { addFiles, addFolder };
    this.source = new Source();
    this.selection = new Selection();
    this.listing = new Listing(byId('listing'), { source: this.source, selection: this.selection });
    /** The project or collection shown. @type {any} */
    this.place = null;
    /** @type {import('../router.js').Route} */
    this.route = makeRoute();
    this.visit = 0;
    /** The letters whose jump is awaited, until something else is gone to. */
    this.typed = '';
    /** @type {string[]} */
    this.hitWords = [];
    this.ready = false;
    /** How many the present search finds in the whole vault. */
    this.elsewhere = { key: '', total: 0 };
    this.live = new LiveListing(this, isOwn);
    this.markSoon = frame(() => markHits(byId('listing'), this.hitWords));
    this.wire();
  }

  wire() {
    const { listing, router } = this;
    listing.addEventListener('scrolled', () => {
      if (this.ready) this.remember();
      this.live.rested();
    });
    listing.addEventListener('drawn', () => this.hitWords.length > 0 && this.markSoon());
    listing.addEventListener('active', (event) => {
      this.typed = '';
      this.dispatchEvent(new CustomEvent('active', { detail: /** @type {CustomEvent} */ (event).detail }));
    });
    listing.addEventListener('selection', () => this.dispatchEvent(new CustomEvent('selection')));
    listing.addEventListener('open', (event) => this.openEntry(/** @type {CustomEvent} */ (event).detail.index));
    listing.addEventListener('sort', (event) => this.sortBy(/** @type {CustomEvent} */ (event).detail.key));
    listing.addEventListener('typed', (event) => this.jumpTo(/** @type {CustomEvent} */ (event).detail.prefix));
    this.source.addEventListener('arrive', () => this.arrived());
    this.source.addEventListener('fail', (event) => this.failed(/** @type {CustomEvent} */ (event).detail));
    this.places.addEventListener('change', () => this.placesChanged());
    byId('sort').addEventListener('change', (/** @type {any} */ event) => {
      router.push({ sort: event.target.value });
    });
    byId('sort-order').addEventListener('click', () => {
      const { sort } = router.current;
      router.push({ sort: sort.startsWith('-') ? sort.slice(1) : `-${sort}` });
    });
    byId('as-grid').addEventListener('click', () => this.layout('grid'));
    byId('as-list').addEventListener('click', () => this.layout('list'));
    byId('as-grid').title = 'Grid';
    byId('as-list').title = 'List';
    byId('as-grid').setAttribute('aria-label', 'Grid');
    byId('as-list').setAttribute('aria-label', 'List');
    const range = /** @type {HTMLInputElement} */ (byId('tile-size'));
    range.value = String(Math.max(0, TILE_SIZES.indexOf(/** @type {any} */ (habits.get('tile', 'm')))));
    range.addEventListener('input', () => {
      habits.set('tile', TILE_SIZES[Number(range.value)]);
      this.arrange();
    });
  }

  /** @param {'grid' | 'list'} as */
  layout(as) {
    habits.set('as', as);
    this.router.replace({ as });
    this.arrange();
  }

  arrange() {
    const layout = this.route.as || /** @type {'grid' | 'list'} */ (habits.get('as', 'grid') === 'list' ? 'list' : 'grid');
    this.listing.arrange({ layout, tileSize: habits.get('tile', 'm'), sort: this.route.sort });
    byId('as-grid').setAttribute('aria-pressed', String(layout === 'grid'));
    byId('as-list').setAttribute('aria-pressed', String(layout === 'list'));
    show(byId('tile-size'), layout === 'grid');
    const order = byId('sort-order');
    show(byId('sort-rank'), this.route.q !== '');
    const descending = this.route.sort.startsWith('-');
    /** @type {HTMLSelectElement} */ (byId('sort')).value = this.route.sort.replace('-', '');
    order.dataset.order = descending ? 'desc' : 'asc';
    order.title = descending ? 'Descending' : 'Ascending';
    order.setAttribute('aria-label', order.title);
  }

  /** @param {import('../router.js').Route} route @param {Record<string, any>} memory @param {boolean} first */
  async show(route, memory, first) {
    const before = this.route;
    this.route = route;
    this.arrange();
    if (!first && sameListing(before, route)) return;
    const moved = first || !samePlace(before, route);
    this.visit += 1;
    this.typed = '';
    const { visit } = this;
    this.ready = false;
    this.waiting(true);
    show(byId('listing-note'), false);
    this.live.reset();
    this.selection.clear();
    this.dispatchEvent(new CustomEvent('selection'));
    this.hitWords = wordsOf(route.q).words;
    this.markSoon();
    if (moved) {
      this.place = null;
      this.source.folders = [];
      this.source.ask(null, null);
      byId('chips').replaceChildren();
      this.listing.reset(null);
    }
    try {
      const place = moved ? await this.find(route) : this.place;
      if (visit !== this.visit) return;
      this.place = place;
      this.drawPath();
      this.dispatchEvent(new CustomEvent('place'));
      this.source.folders = this.foldersShown();
      this.ask(route);
      const anchor = await this.spotIn(route, memory);
      if (visit !== this.visit) return;
      this.listing.reset(anchor);
      if (memory.active !== undefined) this.listing.active = memory.active;
      const first = anchor?.index ?? 0;
      if (listsAssets(route)) this.source.want(first, first + 100);
      else this.arrived();
    } catch (error) {
      if (visit === this.visit) this.failed(error);
    }
  }

  /** Says at once to assistive technology, and to eyes after a moment, that what is drawn does not answer the address yet. @param {boolean} yes */
  waiting(yes) {
    clearTimeout(this.busyTimer);
    if (yes) this.busyTimer = setTimeout(() => show(byId('listing-busy'), true), BUSY_MS);
    else show(byId('listing-busy'), false);
    byId('listing').setAttribute('aria-busy', String(yes));
  }

  /** @param {import('../router.js').Route} route */
  async find({ kind, id }) {
    const projects = this.places.projects ?? (await this.places.loadProjects());
    if (kind === 'home') return null;
    if (kind === 'collection') return this.places.locate(id);
    const project = projects.find((candidate) => candidate.id === id) ?? (await api.projects().then((list) => list.find((candidate) => candidate.id === id)));
    if (!project) throw new Error('There is no such project in this vault.');
    await this.places.branch(id);
    return project;
  }

  /** @param {import('../router.js').Route} route */
  ask(route) {
    if (!listsAssets(route)) {
      this.source.ask(null, null);
      return;
    }
    const { kind, id, q, types, sort } = route;
    const within = { kind: /** @type {any} */ (kind), id };
    const how = { q, types, sort };
    this.source.ask((offset, limit, signal) => api.assets(within, { ...how, offset, limit }, signal), (what) => api.rank(within, how, what));
  }

  /**
   * Where the address says one was. Found by what was seen there, not by number: others may have added things since, and
   * the window may have another width.
   * @param {import('../router.js').Route} route @param {Record<string, any>} memory
   */
  async spotIn(route, memory) {
    const { at } = route;
    if (!at) return null;
    const folder = this.source.folders.findIndex(({ id }) => id === at.id);
    if (folder >= 0) return { index: folder, px: at.px };
    if (!listsAssets(route)) return null;
    const found = await this.source.ranks([at.id]).catch(() => null);
    const rank = found?.at.get(at.id) ?? null;
    return rank === null ? memory.at ?? null : { index: this.source.folders.length + rank, px: at.px };
  }

  /** Keeps where one is, for coming back and for a copied address. */
  remember() {
    const { listing, source } = this;
    const at = listing.anchor();
    const entry = source.get(at.index);
    const id = entry?.asset?.id ?? entry?.folder?.id;
    this.router.remember({ at, active: listing.active }, listing.scroller.virtual >= 1 && id ? { id, px: Math.round(at.px) } : null);
  }

  /** Asks once for each search how much of it the rest of the vault holds. */
  async lookElsewhere() {
    const { kind, q, types } = this.route;
    const key = kind !== 'home' && q ? `${q} ${types}` : '';
    if (key === this.elsewhere.key) return;
    this.elsewhere = { key, total: 0 };
    if (key === '') return;
    const page = await api.assets({ kind: 'home', id: 0 }, { offset: 0, limit: 1, q, types }).catch(() => null);
    if (page === null || this.elsewhere.key !== key) return;
    this.elsewhere.total = page.total;
    if (!this.ready) return;
    this.drawChips();
    this.drawNote();
  }

  /** The same search from the top, where that finds more. */
  get wider() {
    const { q, types } = this.route;
    if (this.route.kind === 'home' || this.elsewhere.total <= this.source.assets) return null;
    return { href: format(makeRoute({ q, types, sort: usualSort(q) })), total: this.elsewhere.total };
  }

  /** Collections (or projects) come first, filtered by the same words; a type filter asks for assets only. */
  foldersShown() {
    const { kind, id, q, types, sort } = this.route;
    if (types.length > 0) return [];
    let list = [];
    if (kind === 'home') list = this.places.projects ?? [];
    else if (kind === 'project') list = this.places.children(id, null);
    else if (this.place) list = this.places.children(this.place.project_id, id);
    const { words, filters } = wordsOf(q);
    // Filters ask for what only assets have.
    const shown = filters ? [] : list.filter((folder) => words.every((word) => fold(folder.name).includes(word)));
    const key = sort.replace('-', '');
    if (key === 'added') shown.sort((a, b) => a.created_at_unix_ms - b.created_at_unix_ms);
    if (key === 'size') shown.sort((a, b) => a.assets - b.assets);
    return sort.startsWith('-') ? shown.reverse() : shown;
  }

  arrived() {
    if (!this.source.known) return;
    if (this.listing.wanted) {
      // The place is as long as it was when the person left it: go back to where they were.
      const { wanted } = this.listing;
      this.listing.wanted = null;
      this.listing.measure();
      this.listing.restore(wanted);
    }
    this.ready = true;
    this.lookElsewhere();
    this.drawChips();
    drawRead(byId('read'), { q: this.route.q, terms: (this.route.q && this.source.page?.read) || [], change: (q) => this.router.push({ q }) });
    this.drawNote();
    this.listing.refresh();
    this.waiting(false);
    this.dispatchEvent(new CustomEvent('arrived'));
    const said = `${this.route.id}?${this.route.q}&${this.route.types}`;
    if (said === this.said) return;
    this.said = said;
    clearTimeout(this.speakTimer);
    if (this.route.q) this.speakTimer = setTimeout(() => speak(plural(this.source.length, 'match', 'matches')), SPEAK_MS);
  }

  drawChips() {
    if (!listsAssets(this.route)) {
      drawRead(byId('read'), { q: '', terms: [], change: () => {} });
      byId('chips').replaceChildren();
      delete byId('chips').dataset.look;
      return;
    }
    const { types: written, rest } = writtenTypes(this.route.q, this.source.page?.read ?? []);
    const types = [...new Set([...this.route.types, ...written])];
    drawChips(byId('chips'), { page: this.source.page, types, wider: this.wider, choose: (chosen) => this.router.push({ types: chosen, q: rest }) });
  }

  drawNote() {
    const note = byId('listing-note');
    const empty = this.source.known && this.source.length === 0;
    if (!empty) {
      show(note, false);
      note.dataset.kind = '';
      return;
    }
    const filtered = this.route.q !== '' || this.route.types.length > 0;
    const kind = filtered ? `none ${format(this.route)} ${this.wider?.total ?? 0}` : `empty ${this.route.kind} ${this.route.id}`;
    note.className = 'whole';
    show(note, true);
    if (note.dataset.kind === kind) return;
    note.dataset.kind = kind;
    note.replaceChildren(...(filtered
      ? noMatchNote({ query: this.route.q, types: this.route.types, place: this.name, wider: this.wider, clear: () => this.router.push({ q: '', types: [] }) })
      : emptyNote({ kind: this.route.kind, place: this.place, path: this.path, ...this.add, createProject: async (name) => {
        const made = await this.places.createProject(name);
        this.router.go('project', made.id);
      }, createCollection: async (name) => {
        const made = await this.places.createCollection(this.place.id, null, name);
        this.router.go('collection', made.id);
      } })));
  }

  /** @param {any} error */
  failed(error) {
    this.waiting(false);
    const note = byId('listing-note');
    const whole = !this.source.known || this.source.length === 0 || !this.ready;
    note.className = whole ? 'whole' : '';
    note.dataset.kind = 'error';
    if (whole && this.name === '') setText(byId('place-title'), 'Not listed');
    note.replaceChildren(...errorNote({ error, whole, retry: () => this.again() }));
    show(note, true);
  }

  /** After a failure, and when the server is back. */
  again() {
    if (byId('listing-note').dataset.kind !== 'error' || byId('listing-note').hidden) return;
    show(byId('listing-note'), false);
    if (this.ready) this.listing.refresh();
    else this.show(this.route, this.router.memory, true);
  }

  get name() {
    return this.place?.name ?? (this.route.kind === 'home' ? 'All projects' : '');
  }

  /** From the project down to here. */
  get path() {
    if (!this.place) return [];
    return this.route.kind === 'collection' ? this.places.pathTo(this.place) : [this.place];
  }

  drawPath() {
    const steps = [{ name: 'All projects', href: '/', key: 'home' }, ...this.path.map((step) => ('project_id' in step
      ? { name: step.name, href: `/c/${step.id}`, key: `c/${step.id}` } : { name: step.name, href: `/p/${step.id}`, key: `p/${step.id}` }))];
    const shown = foldMiddle(this.route.kind === 'home' ? steps : steps.slice(1));
    setText(byId('place-title'), visibleName(this.name));
    byId('path').replaceChildren(...shown.flatMap((step, i) => [
      ...(i > 0 ? [icon('chevron')] : []),
      h('a', { href: step.href, 'data-place': step.key, 'aria-current': i === shown.length - 1 ? 'page' : null, title: visibleName(step.title ?? step.name) }, visibleName(step.name)),
    ]));
    const zip = this.zipAddress;
    show(byId('download-place'), zip !== null);
  }

  get zipAddress() {
    if (!this.place) return null;
    return addressOf.zip(this.route.kind === 'collection' ? 'collection' : 'project', this.place.id);
  }

  /** Where a drop on this page goes. @returns {import('../upload/plan.js').Target} */
  get target() {
    if (this.route.kind === 'collection' && this.place) return { kind: 'collection', id: this.place.id, projectId: this.place.project_id };
    if (this.route.kind === 'project' && this.place) return { kind: 'project', id: this.place.id };
    return { kind: 'home' };
  }

  summary() {
    if (this.route.kind === 'home' && !this.source.page) return plural(this.places.projects?.length ?? 0, 'project');
    const page = this.source.page;
    const folders = this.source.folders.length;
    return [folders > 0 && plural(folders, 'collection'), page && `${plural(page.total, 'asset')}, ${bytes(page.bytes)}`, this.route.kind === 'project' && !page && plural(this.place?.assets ?? 0, 'asset')].filter(Boolean).join(' · ');
  }

  /** @param {number} index */
  openEntry(index) {
    const entry = this.source.get(index);
    if (!entry) return;
    this.remember();
    if (entry.folder) this.router.go('project_id' in entry.folder ? 'collection' : 'project', entry.folder.id);
    else this.router.push({ viewing: entry.asset.id }, { at: this.listing.anchor(), active: index, viewIndex: index });
  }

  /** @param {string} key */
  sortBy(key) {
    const { sort } = this.route;
    this.router.push({ sort: sort === key ? `-${key}` : key });
  }

  /** @param {string} prefix */
  async jumpTo(prefix) {
    this.typed = prefix;
    const at = this.source.folders.findIndex(({ name }) => name.toLocaleLowerCase().startsWith(prefix.toLocaleLowerCase()));
    if (at >= 0) {
      this.listing.activate(at);
      return;
    }
    const rank = (await this.source.fetchRanks?.({ prefix }).catch(() => null))?.prefix_rank ?? null;
    // Answers may come in another order than letters.
    if (rank !== null && prefix === this.typed) this.listing.activate(this.source.folders.length + rank);
  }

  placesChanged() {
    if (!this.ready && listsAssets(this.route)) return;
    const fresh = this.route.kind === 'project' ? this.places.project(this.route.id) : this.route.kind === 'collection' ? this.places.collection(this.route.id) : null;
    if (fresh) this.place = fresh;
    const folders = this.foldersShown();
    const before = this.source.folders.length;
    const same = folders.length === before && folders.every((folder, i) => folder.id === this.source.folders[i].id);
    const anchor = this.listing.anchor();
    this.source.folders = folders;
    if (!same && this.source.known) {
      const by = folders.length - before;
      if (anchor.index >= before && anchor.index + anchor.px > 0) {
        this.listing.measure();
        this.listing.restore({ index: anchor.index + by, px: anchor.px });
      }
      if (this.listing.active >= before) this.listing.active = Math.max(0, this.listing.active + by);
    }
    if (this.source.known && this.visit > 0 && (this.ready || !listsAssets(this.route))) {
      this.listing.refresh();
      this.drawNote();
      this.dispatchEvent(new CustomEvent('arrived'));
    }
    this.drawPath();
  }

  /** Something was sealed. @param {number[] | null} ids of places touched */
  touched(ids) {
    const { kind, id, q } = this.route;
    // A search shows what lies below, and whatever it found may have a newer version now.
    const concerned = ids === null || q !== '' || kind !== 'collection' || ids.includes(id);
    if (listsAssets(this.route) && concerned) this.live.touched();
  }
}

/** Does the listing hold assets, and not just places? @param {import('../router.js').Route} route */
function listsAssets({ kind, q, types }) {
  return kind === 'collection' || q !== '' || types.length > 0;
}

/** Once in the next frame, however often it is called. @param {() => void} work */
function frame(work) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      work();
    });
  };
}
