// A place and what is in it: path, toolbar, chips, listing, notes. Reads the address and asks the
// source.

import { addressOf, api, orderOf } from '../api.js';
import { drawChips, drawRead, writtenTypes } from '../components/chips.js';
import { markHits } from '../components/hit_marks.js';
import { makeListing } from '../components/listing.js';
import { speak } from '../components/messages.js';
import { emitting } from '../lib/emitter.js';
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

/** @typedef {ReturnType<typeof placeView>} PlaceView */

/**
 * Fires `selection`, `arrived` when rows did, `place` when the place is known.
 * @param {{router: import('../router.js').Router, places: import('../state.js').Places, addFiles: () => void, addFolder: () => void, isOwn: (id: number) => boolean}} parts
 */
export function placeView({ router, places, addFiles, addFolder, isOwn }) {
  const source = new Source();
  const selection = new Selection();
  const listing = makeListing(byId('listing'), { source, selection });
  /** The project or collection shown. @type {any} */
  let place = null;
  let route = makeRoute();
  let visit = 0;
  let ready = false;
  /** The letters whose jump is awaited, until something else is gone to. */
  let typed = '';
  /** @type {string[]} */
  let hitWords = [];
  /** How many the present search finds in the whole vault. */
  let elsewhere = { key: '', total: 0 };
  /** The search whose count was spoken last. */
  let said = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let speakTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let busyTimer;
  const markSoon = soon(() => markHits(byId('listing'), hitWords));
  const listingNote = byId('listing-note');
  const view = emitting({
    listing, selection, source, again, arrived, failed, layout, show: showRoute, summary, touched,
    get route() {
      return route;
    },
    get place() {
      return place;
    },
    get visit() {
      return visit;
    },
    get ready() {
      return ready;
    },
    get name() {
      return place?.name ?? (route.kind === 'home' ? 'All projects' : '');
    },
    /** From the project down to here. */
    get path() {
      if (!place) return [];
      return route.kind === 'collection' ? places.pathTo(place) : [place];
    },
    get zipAddress() {
      return place && addressOf.zip(placeOf(place));
    },
    /** Where a drop on this page goes. @returns {import('../upload/plan.js').Target} */
    get target() {
      return place ? { ...placeOf(place), projectId: place.project_id } : { kind: 'home' };
    },
  });
  const live = liveListing(view, isOwn);

  listing.on('scrolled', () => {
    if (ready) remember();
    live.rested();
  });
  listing.on('drawn', () => hitWords.length > 0 && markSoon());
  listing.on('active', () => { typed = ''; });
  listing.on('selection', () => view.emit('selection'));
  listing.on('open', openEntry);
  listing.on('sort', ({ key }) => router.push({ sort: router.current.sort === key ? `-${key}` : key }));
  listing.on('typed', jumpTo);
  source.on('arrive', arrived);
  source.on('fail', failed);
  places.on('change', placesChanged);
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
    tip: 'Size of tiles',
    oninput() {
      habits.set('tile', TILE_SIZES[range.value]);
      arrange();
    },
  });

  /** @param {'grid' | 'list'} as */
  function layout(as) {
    habits.set('as', as);
    router.replace({ as });
    arrange();
  }

  /** Is anything searched, or only some types shown? */
  function filtered() {
    return route.q !== '' || route.types.length > 0;
  }

  /** Does the listing hold assets, and not just places? */
  function listsAssets() {
    return route.kind === 'collection' || filtered();
  }

  function arrange() {
    const { as, sort, q } = route;
    const layout = as || (habits.get('as', 'grid') === 'list' ? 'list' : 'grid');
    const { sort: key, order } = orderOf(sort);
    listing.arrange({ layout, tileSize: habits.get('tile', 'm'), key, order });
    for (const each of ['grid', 'list']) set(byId(`as-${each}`), { pressed: layout === each });
    show('tile-size', layout === 'grid');
    show('sort-rank', q !== '');
    byId('sort').value = key;
    set('sort-order', { tip: order === 'desc' ? 'Descending' : 'Ascending', 'data-order': order });
  }

  /** @param {import('../router.js').Route} next @param {Record<string, any>} memory @param {boolean} first */
  async function showRoute(next, memory, first) {
    const before = route;
    route = next;
    arrange();
    if (!first && sameListing(before, route)) return;
    const moved = first || !samePlace(before, route);
    visit += 1;
    const mine = visit;
    typed = '';
    ready = false;
    waiting(true);
    show(listingNote, false);
    live.reset();
    selection.clear();
    view.emit('selection');
    hitWords = wordsOf(route.q).words;
    markSoon();
    if (moved) {
      place = null;
      source.folders = [];
      source.ask(null, null);
      byId('chips').replaceChildren();
      listing.reset(null);
    }
    try {
      const found = moved ? await find() : place;
      if (mine !== visit) return;
      place = found;
      drawPath();
      view.emit('place');
      source.folders = foldersShown();
      ask();
      const anchor = await spotIn(next.at, memory);
      if (mine !== visit) return;
      listing.reset(anchor);
      listing.active = memory.active ?? listing.active;
      const seen = anchor?.index ?? 0;
      if (listsAssets()) source.want(seen, seen + 100);
      else arrived();
    } catch (error) {
      if (mine === visit) failed(error);
    }
  }

  /** Says at once to assistive technology, and to eyes after a moment, that what is drawn does not answer the address yet. @param {boolean} yes */
  function waiting(yes) {
    clearTimeout(busyTimer);
    show('listing-busy', false);
    if (yes) busyTimer = setTimeout(() => show('listing-busy', true), BUSY_MS);
    set('listing', { busy: yes });
  }

  async function find() {
    const { kind, id } = route;
    if (!places.projects) await places.loadProjects();
    if (kind === 'home') return null;
    if (kind === 'collection') return places.locate(id);
    if (!places.project(id)) await places.loadProjects();
    const project = places.project(id);
    if (!project) throw new Error('There is no such project in this vault.');
    await places.branch(id);
    return project;
  }

  function ask() {
    const { kind, id, q, types, sort } = route;
    const how = { q, types, sort };
    if (!listsAssets()) source.ask(null, null);
    else source.ask((offset, limit, signal) => api.assets({ kind, id }, { ...how, offset, limit }, signal), (what) => api.rank({ kind, id }, how, what));
  }

  /**
   * Where the address says one was. Found by what was seen there, not by number: others may have added things since, and
   * the window may have another width.
   * @param {import('../router.js').Route['at']} at @param {Record<string, any>} memory
   */
  async function spotIn(at, memory) {
    const { folders } = source;
    if (!at) return null;
    const folder = folders.findIndex(({ id }) => id === at.id);
    if (folder < 0 && !listsAssets()) return null;
    const index = folder < 0 ? await source.indexOf(at.id) : folder;
    return index < 0 ? memory.at ?? null : { index, px: at.px };
  }

  /** Keeps where one is, for coming back and for a copied address. */
  function remember() {
    const at = listing.anchor();
    const entry = source.get(at.index);
    const id = entry?.asset?.id ?? entry?.folder?.id;
    router.remember({ at, active: listing.active }, listing.scroller.virtual >= 1 && id ? { id, px: Math.round(at.px) } : null);
  }

  /** Asks once for each search how much of it the rest of the vault holds. */
  async function lookElsewhere() {
    const { kind, q, types } = route;
    const key = kind !== 'home' && q && `${q} ${types}`;
    if (key === elsewhere.key) return;
    const mine = { key, total: 0 };
    elsewhere = mine;
    if (!key) return;
    mine.total = (await api.assets({ kind: 'home' }, { limit: 1, q, types }).catch(() => mine)).total;
    if (elsewhere !== mine || !ready) return;
    drawFilters();
    drawNote();
  }

  /** The same search from the top, where that finds more. */
  function wider() {
    const { q, types } = route;
    if (route.kind === 'home' || elsewhere.total <= source.assets) return null;
    return { href: format(makeRoute({ q, types, sort: usualSort(q) })), total: elsewhere.total };
  }

  /** Collections (or projects) come first, filtered by the same words; a type filter asks for assets only. */
  function foldersShown() {
    const { kind, id, q, types, sort } = route;
    if (types.length > 0) return [];
    const list = kind === 'home' ? places.projects ?? [] : kind === 'project' ? places.children(id, null) : places.children(place.project_id, id);
    const { words, filters } = wordsOf(q);
    // Filters ask for what only assets have.
    const shown = filters ? [] : list.filter((folder) => words.every((word) => fold(folder.name).includes(word)));
    const { sort: key, order } = orderOf(sort);
    if (key === 'added') shown.sort((a, b) => a.created_at_unix_ms - b.created_at_unix_ms);
    if (key === 'size') shown.sort((a, b) => a.assets - b.assets);
    return order === 'desc' ? shown.reverse() : shown;
  }

  function arrived() {
    if (!source.known) return;
    if (listing.wanted) {
      // The place is as long as it was when the person left it: go back to where they were.
      const { wanted } = listing;
      listing.wanted = null;
      listing.measure();
      listing.restore(wanted);
    }
    ready = true;
    lookElsewhere();
    drawFilters();
    drawNote();
    listing.refresh();
    waiting(false);
    view.emit('arrived');
    const search = `${route.id}?${route.q}&${route.types}`;
    if (search === said) return;
    said = search;
    clearTimeout(speakTimer);
    if (route.q) speakTimer = setTimeout(() => speak(plural(source.length, 'match', 'matches')), SPEAK_MS);
  }

  function drawFilters() {
    const { q, types } = route;
    const page = listsAssets() ? source.page : null;
    const read = (q && page?.read) || [];
    const written = writtenTypes(q, read);
    drawRead(byId('read'), { q, terms: read, change: (changed) => router.push({ q: changed }) });
    if (!listsAssets()) byId('chips').replaceChildren();
    else drawChips(byId('chips'), { page, types: [...new Set([...types, ...written.types])], wider: wider(), choose: (chosen) => router.push({ types: chosen, q: written.rest }) });
  }

  function drawNote() {
    const { kind, id, q, types } = route;
    const empty = source.known && source.length === 0;
    const look = !empty ? '' : filtered() ? `none ${format(route)} ${wider()?.total ?? 0}` : `empty ${kind} ${id}`;
    if (!empty) note(look);
    else if (look === listingNote.dataset.kind) show(listingNote, true);
    else if (filtered()) note(look, noMatchNote({ query: q, types, place: view.name, wider: wider(), clear: () => router.push({ q: '', types: [] }) }));
    else note(look, emptyNote({ kind, path: view.path, addFiles, addFolder, create }));
  }

  /** The first project of the vault or collection of the project. @param {string} name */
  async function create(name) {
    const made = await (place ? places.createCollection(place.id, null, name) : places.createProject(name));
    router.goTo(made);
  }

  /** Over the listing or instead of it, none where there are no contents. @param {string} kind @param {any[]} [contents] @param {boolean} [whole] */
  function note(kind, contents = [], whole = true) {
    set(listingNote, { class: whole ? 'whole' : '', 'data-kind': kind });
    redraw(listingNote, contents);
    show(listingNote, contents.length > 0);
  }

  /** @param {any} error */
  function failed(error) {
    waiting(false);
    const whole = source.length === 0 || !ready;
    if (whole && view.name === '') setText('place-title', 'Not listed');
    note('error', errorNote({ error, whole, retry: again }), whole);
  }

  /** After a failure, and when the server is back. */
  function again() {
    if (listingNote.dataset.kind !== 'error' || listingNote.hidden) return;
    show(listingNote, false);
    if (ready) listing.refresh();
    else showRoute(route, router.memory, true);
  }

  function drawPath() {
    const home = { name: 'All projects', key: 'home' };
    const steps = route.kind === 'home' ? [home] : view.path.map((step) => ({ name: step.name, key: placeKey(placeOf(step)) }));
    const shown = foldMiddle(steps);
    setText('place-title', visibleName(view.name));
    byId('path').replaceChildren(...shown.flatMap(({ name, title = name, key }, i) => [
      ...(i > 0 ? [icon('chevron')] : []),
      h('a', { href: key === 'home' ? '/' : `/${key}`, 'data-place': key, current: i === shown.length - 1 ? 'page' : null, title: visibleName(title) }, visibleName(name)),
    ]));
    show('download-place', view.zipAddress !== null);
  }

  function summary() {
    const { page, folders } = source;
    const { kind } = route;
    if (kind === 'home' && !page) return plural(folders.length, 'project');
    return [folders.length > 0 && plural(folders.length, 'collection'), page && `${plural(page.total, 'asset')}, ${bytes(page.bytes)}`,
      kind === 'project' && !page && plural(place?.assets ?? 0, 'asset')].filter(Boolean).join(' · ');
  }

  /** @param {{index: number}} entry */
  function openEntry({ index }) {
    const { folder, asset } = source.get(index);
    remember();
    if (folder) router.goTo(folder);
    else router.push({ viewing: asset.id }, { at: listing.anchor(), active: index, viewIndex: index });
  }

  /** @param {{prefix: string}} letters */
  async function jumpTo({ prefix }) {
    const { folders, fetchRanks } = source;
    typed = prefix;
    const at = typeAhead(folders, 0, prefix);
    const rank = at < 0 ? (await fetchRanks?.({ prefix }).catch(() => null))?.prefix_rank ?? null : at - folders.length;
    // Answers may come in another order than letters.
    if (rank !== null && prefix === typed) listing.activate(folders.length + rank);
  }

  function placesChanged() {
    const { kind, id } = route;
    if (!ready && listsAssets()) return;
    place = places.get(route) ?? place;
    if (kind === 'collection' && !place) return;
    const folders = foldersShown();
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
    if (source.known && visit > 0) {
      listing.refresh();
      drawNote();
      view.emit('arrived');
    }
    drawPath();
  }

  /** Something was sealed. @param {number[] | null} ids of places touched */
  function touched(ids) {
    const { kind, id, q } = route;
    // A search shows what lies below, and whatever it found may have a newer version now.
    const concerned = ids === null || q !== '' || kind !== 'collection' || ids.includes(id);
    if (listsAssets() && concerned) live.touched();
  }

  return view;
}

