// A place and what is in it: path, toolbar, chips, listing, notes. Reads the address and asks the
// source.

import { addressOf, api, orderOf } from '../api.js';
import { drawChips, drawRead, writtenTypes } from '../components/chips.js';
import { markHits } from '../components/hit_marks.js';
import { Listing } from '../components/listing.js';
import { speak } from '../components/messages.js';
import { Emitter } from '../lib/emitter.js';
import { fold, wordsOf } from '../lib/hits.js';
import { byId, bytes, h, icon, plural, redraw, set, setText, show, soon, visibleName } from '../lib/html.js';
import { Selection } from '../lib/selection.js';
import { Source } from '../lib/source.js';
import { foldMiddle, typeAhead } from '../lib/tree_model.js';
import { TILE_MIN } from '../lib/virtual_window.js';
import { format, placeKey, placeOf, route as makeRoute, sameListing, samePlace, usualSort } from '../router.js';
import { habits } from '../state.js';
import { liveListing } from './live_listing.js';
import { emptyNote, errorNote, noMatchNote } from './notes.js';

const BUSY_MS = 400;
/** A count is spoken when typing has rested this long. */
const SPEAK_MS = 1000;
const TILE_SIZES = Object.keys(TILE_MIN);

/** Fires `selection`, `active` {index}, `place` when the place is known. */
export class PlaceView extends Emitter {
  /** The project or collection shown. @type {any} */
  place = null;
  route = makeRoute();
  visit = 0;
  /** The letters whose jump is awaited, until something else is gone to. */
  typed = '';
  /** @type {string[]} */
  hitWords = [];
  ready = false;
  /** How many the present search finds in the whole vault. */
  elsewhere = { key: '', total: 0 };
  markSoon = soon(() => markHits(byId('listing'), this.hitWords));

  /** @param {{router: import('../router.js').Router, places: import('../state.js').Places, addFiles: () => void, addFolder: () => void, isOwn: (id: number) => boolean}} parts */
  constructor({ router, places, addFiles, addFolder, isOwn }) {
    super();
    const source = new Source();
    const selection = new Selection();
    Object.assign(this, { router, places, source, selection, add: { addFiles, addFolder }, listing: new Listing(byId('listing'), { source, selection }) });
    this.live = liveListing(this, isOwn);
    this.wire();
  }

  wire() {
    const { listing, router } = this;
    listing.on('scrolled', () => {
      if (this.ready) this.remember();
      this.live.rested();
    });
    listing.on('drawn', () => this.hitWords.length > 0 && this.markSoon());
    listing.on('active', () => { this.typed = ''; });
    listing.on('selection', () => this.emit('selection'));
    listing.on('open', ({ index }) => this.openEntry(index));
    listing.on('sort', ({ key }) => router.push({ sort: router.current.sort === key ? `-${key}` : key }));
    listing.on('typed', ({ prefix }) => this.jumpTo(prefix));
    this.source.on('arrive', () => this.arrived());
    this.source.on('fail', (error) => this.failed(error));
    this.places.on('change', () => this.placesChanged());
    set('sort', { onchange: ({ target }) => router.push({ sort: target.value }) });
    set('sort-order', {
      onclick() {
        const { sort, order } = orderOf(router.current.sort);
        router.push({ sort: order === 'desc' ? sort : `-${sort}` });
      },
    });
    const range = byId('tile-size');
    range.value = TILE_SIZES.indexOf(habits.get('tile', 'm'));
    set(range, {
      oninput: () => {
        habits.set('tile', TILE_SIZES[range.value]);
        this.arrange();
      },
    });
  }

  /** @param {'grid' | 'list'} as */
  layout(as) {
    habits.set('as', as);
    this.router.replace({ as });
    this.arrange();
  }

  arrange() {
    const { as, sort, q } = this.route;
    const layout = as || (habits.get('as', 'grid') === 'list' ? 'list' : 'grid');
    const { sort: key, order } = orderOf(sort);
    this.listing.arrange({ layout, tileSize: habits.get('tile', 'm'), key, order });
    for (const each of ['grid', 'list']) set(byId(`as-${each}`), { pressed: layout === each });
    show('tile-size', layout === 'grid');
    show('sort-rank', q !== '');
    byId('sort').value = key;
    set('sort-order', { tip: order === 'desc' ? 'Descending' : 'Ascending', 'data-order': order });
  }

  /** @param {import('../router.js').Route} route @param {Record<string, any>} memory @param {boolean} first */
  async show(route, memory, first) {
    const before = this.route;
    this.route = route;
    this.arrange();
    if (!first && sameListing(before, route)) return;
    const moved = first || !samePlace(before, route);
    this.visit += 1;
    const { visit } = this;
    this.typed = '';
    this.ready = false;
    this.waiting(true);
    show('listing-note', false);
    this.live.reset();
    this.selection.clear();
    this.emit('selection');
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
      this.emit('place');
      this.source.folders = this.foldersShown();
      this.ask(route);
      const anchor = await this.spotIn(route, memory);
      if (visit !== this.visit) return;
      this.listing.reset(anchor);
      this.listing.active = memory.active ?? this.listing.active;
      const seen = anchor?.index ?? 0;
      if (listsAssets(route)) this.source.want(seen, seen + 100);
      else this.arrived();
    } catch (error) {
      if (visit === this.visit) this.failed(error);
    }
  }

  /** Says at once to assistive technology, and to eyes after a moment, that what is drawn does not answer the address yet. @param {boolean} yes */
  waiting(yes) {
    clearTimeout(this.busyTimer);
    show('listing-busy', false);
    if (yes) this.busyTimer = setTimeout(() => show('listing-busy', true), BUSY_MS);
    set('listing', { busy: yes });
  }

  /** @param {import('../router.js').Route} route */
  async find({ kind, id }) {
    const { places } = this;
    if (!places.projects) await places.loadProjects();
    if (kind === 'home') return null;
    if (kind === 'collection') return places.locate(id);
    if (!places.project(id)) await places.loadProjects();
    const project = places.project(id);
    if (!project) throw new Error('There is no such project in this vault.');
    await places.branch(id);
    return project;
  }

  /** @param {import('../router.js').Route} route */
  ask(route) {
    const { kind, id, q, types, sort } = route;
    const how = { q, types, sort };
    if (!listsAssets(route)) this.source.ask(null, null);
    else this.source.ask((offset, limit, signal) => api.assets({ kind, id }, { ...how, offset, limit }, signal), (what) => api.rank({ kind, id }, how, what));
  }

  /**
   * Where the address says one was. Found by what was seen there, not by number: others may have added things since, and
   * the window may have another width.
   * @param {import('../router.js').Route} route @param {Record<string, any>} memory
   */
  async spotIn(route, memory) {
    const { at } = route;
    const { folders } = this.source;
    if (!at) return null;
    const folder = folders.findIndex(({ id }) => id === at.id);
    if (folder < 0 && !listsAssets(route)) return null;
    const index = folder < 0 ? await this.source.indexOf(at.id) : folder;
    return index < 0 ? memory.at ?? null : { index, px: at.px };
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
    const key = kind !== 'home' && q && `${q} ${types}`;
    if (key === this.elsewhere.key) return;
    const mine = { key, total: 0 };
    this.elsewhere = mine;
    if (!key) return;
    mine.total = (await api.assets({ kind: 'home' }, { limit: 1, q, types }).catch(() => mine)).total;
    if (this.elsewhere !== mine || !this.ready) return;
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
    const list = kind === 'home' ? this.places.projects ?? [] : kind === 'project' ? this.places.children(id, null) : this.places.children(this.place.project_id, id);
    const { words, filters } = wordsOf(q);
    // Filters ask for what only assets have.
    const shown = filters ? [] : list.filter((folder) => words.every((word) => fold(folder.name).includes(word)));
    const { sort: key, order } = orderOf(sort);
    if (key === 'added') shown.sort((a, b) => a.created_at_unix_ms - b.created_at_unix_ms);
    if (key === 'size') shown.sort((a, b) => a.assets - b.assets);
    return order === 'desc' ? shown.reverse() : shown;
  }

  arrived() {
    const { listing, source, route } = this;
    if (!source.known) return;
    if (listing.wanted) {
      // The place is as long as it was when the person left it: go back to where they were.
      const { wanted } = listing;
      listing.wanted = null;
      listing.measure();
      listing.restore(wanted);
    }
    this.ready = true;
    this.lookElsewhere();
    this.drawChips();
    this.drawNote();
    listing.refresh();
    this.waiting(false);
    this.emit('arrived');
    const said = `${route.id}?${route.q}&${route.types}`;
    if (said === this.said) return;
    this.said = said;
    clearTimeout(this.speakTimer);
    if (route.q) this.speakTimer = setTimeout(() => speak(plural(source.length, 'match', 'matches')), SPEAK_MS);
  }

  drawChips() {
    const { q, types } = this.route;
    const page = listsAssets(this.route) ? this.source.page : null;
    const read = (q && page?.read) || [];
    const written = writtenTypes(q, read);
    drawRead(byId('read'), { q, terms: read, change: (changed) => this.router.push({ q: changed }) });
    if (!listsAssets(this.route)) byId('chips').replaceChildren();
    else drawChips(byId('chips'), { page, types: [...new Set([...types, ...written.types])], wider: this.wider, choose: (chosen) => this.router.push({ types: chosen, q: written.rest }) });
  }

  drawNote() {
    const { kind, id, q, types } = this.route;
    const empty = this.source.known && this.source.length === 0;
    const filtered = q !== '' || types.length > 0;
    const look = !empty ? '' : filtered ? `none ${format(this.route)} ${this.wider?.total ?? 0}` : `empty ${kind} ${id}`;
    if (!empty) this.note(look);
    else if (look === byId('listing-note').dataset.kind) show('listing-note', true);
    else if (filtered) this.note(look, noMatchNote({ query: q, types, place: this.name, wider: this.wider, clear: () => this.router.push({ q: '', types: [] }) }));
    else this.note(look, emptyNote({ kind, path: this.path, ...this.add, create: (name) => this.create(name) }));
  }

  /** The first project of the vault or collection of the project. @param {string} name */
  async create(name) {
    const made = await (this.place ? this.places.createCollection(this.place.id, null, name) : this.places.createProject(name));
    this.router.goTo(made);
  }

  /** Over the listing or instead of it, none where there are no contents. @param {string} kind @param {any[]} [contents] @param {boolean} [whole] */
  note(kind, contents = [], whole = true) {
    const note = byId('listing-note');
    set(note, { class: whole ? 'whole' : '', 'data-kind': kind });
    redraw(note, contents);
    show(note, contents.length > 0);
  }

  /** @param {any} error */
  failed(error) {
    this.waiting(false);
    const whole = this.source.length === 0 || !this.ready;
    if (whole && this.name === '') setText('place-title', 'Not listed');
    this.note('error', errorNote({ error, whole, retry: () => this.again() }), whole);
  }

  /** After a failure, and when the server is back. */
  again() {
    const note = byId('listing-note');
    if (note.dataset.kind !== 'error' || note.hidden) return;
    show(note, false);
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
    const home = { name: 'All projects', key: 'home' };
    const steps = this.route.kind === 'home' ? [home] : this.path.map((step) => ({ name: step.name, key: placeKey(placeOf(step)) }));
    const shown = foldMiddle(steps);
    setText('place-title', visibleName(this.name));
    byId('path').replaceChildren(...shown.flatMap(({ name, title = name, key }, i) => [
      ...(i > 0 ? [icon('chevron')] : []),
      h('a', { href: key === 'home' ? '/' : `/${key}`, 'data-place': key, current: i === shown.length - 1 ? 'page' : null, title: visibleName(title) }, visibleName(name)),
    ]));
    show('download-place', this.zipAddress !== null);
  }

  get zipAddress() {
    return this.place && addressOf.zip(placeOf(this.place));
  }

  /** Where a drop on this page goes. @returns {import('../upload/plan.js').Target} */
  get target() {
    return this.place ? { ...placeOf(this.place), projectId: this.place.project_id } : { kind: 'home' };
  }

  summary() {
    const { page, folders } = this.source;
    const { kind } = this.route;
    if (kind === 'home' && !page) return plural(folders.length, 'project');
    return [folders.length > 0 && plural(folders.length, 'collection'), page && `${plural(page.total, 'asset')}, ${bytes(page.bytes)}`,
      kind === 'project' && !page && plural(this.place?.assets ?? 0, 'asset')].filter(Boolean).join(' · ');
  }

  /** @param {number} index */
  openEntry(index) {
    const { folder, asset } = this.source.get(index);
    this.remember();
    if (folder) this.router.goTo(folder);
    else this.router.push({ viewing: asset.id }, { at: this.listing.anchor(), active: index, viewIndex: index });
  }

  /** @param {string} prefix */
  async jumpTo(prefix) {
    const { folders, fetchRanks } = this.source;
    this.typed = prefix;
    const at = typeAhead(folders, 0, prefix);
    const rank = at < 0 ? (await fetchRanks?.({ prefix }).catch(() => null))?.prefix_rank ?? null : at - folders.length;
    // Answers may come in another order than letters.
    if (rank !== null && prefix === this.typed) this.listing.activate(folders.length + rank);
  }

  placesChanged() {
    const { listing, source, places } = this;
    const { kind, id } = this.route;
    const there = this.ready || !listsAssets(this.route);
    if (!there) return;
    this.place = places.get(this.route) ?? this.place;
    if (kind === 'collection' && !this.place) return;
    const folders = this.foldersShown();
    const before = source.folders;
    const by = folders.length - before.length;
    const same = by === 0 && folders.every((folder, i) => folder.id === before[i].id);
    const anchor = listing.anchor();
    source.folders = folders;
    if (!same && source.known) {
      if (anchor.index >= before.length && anchor.index + anchor.px > 0) {
        listing.measure();
        listing.restore({ index: anchor.index + by, px: anchor.px });
      }
      if (listing.active >= before.length) listing.active = Math.max(0, listing.active + by);
    }
    if (source.known && this.visit > 0) {
      listing.refresh();
      this.drawNote();
      this.emit('arrived');
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
