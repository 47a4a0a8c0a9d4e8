// What opens over or beside the listing: the details panel and the viewer, both kept in the address.

import { addressOf } from '../api.js';
import { byId, show } from '../lib/html.js';
import { bytes, dayAndTime, plural } from '../lib/format.js';
import { Details } from '../components/details.js';
import { habits } from '../state.js';

/** A neighbour larger than this is fetched when it is turned to. */
const PRELOAD_BYTES_MAX = 20_000_000;
const WIDE = '(min-width: 1200px)';
const BESIDE = '(min-width: 1024px)';

/** @param {{router: import('../router.js').Router, view: import('./place_view.js').PlaceView, selected: import('./selected.js').Selected}} parts */
export function detailsPanel({ router, view, selected }) {
  const root = byId('details');
  const toggle = byId('toggle-details');
  const panel = new Details(root);
  /** Became active before it was here. */
  let awaited = -1;
  let open = matchMedia(WIDE).matches && habits.get('details', 'open') === 'open';

  /** @param {boolean} next */
  function set(next) {
    open = next;
    if (matchMedia(BESIDE).matches) habits.set('details', next ? 'open' : 'closed');
    if (!next) {
      panel.key = '';
      if (root.contains(document.activeElement)) view.listing.focus();
      router.replace({ details: 0 });
    }
    draw();
    if (next) follow();
  }

  /** The address follows the active asset while the panel is open. */
  function follow() {
    const asset = view.source.get(view.listing.active)?.asset;
    if (open && asset && !view.selection.empty) router.replace({ details: asset.id });
  }

  function draw() {
    const listed = !byId('listing-view').hidden;
    const shown = (open || router.current.details > 0) && listed;
    open = open || (shown && router.current.details > 0);
    show(root, shown);
    toggle.setAttribute('aria-pressed', String(shown));
    if (!shown) return;
    const { n, size } = selected;
    const id = router.current.details;
    if (n > 1) {
      panel.showSelection(n, size === null ? '' : bytes(size));
    } else if (id > 0) {
      panel.showAsset(known(view, id), id);
    } else {
      const { place } = view;
      /** @type {[string, string][]} */
      const rows = place ? [['Created', dayAndTime(place.created_at_unix_ms)], ['Entry', String(place.id)]] : [];
      if (view.source.page) rows.unshift(['Assets', plural(view.source.page.total, 'asset')], ['Size', bytes(view.source.page.bytes)]);
      panel.showPlace(view.name || 'Not here', view.summary(), rows, view.zipAddress);
    }
  }

  // Beside the listing the panel may stay; over it, it would cover what the person came for.
  matchMedia(BESIDE).addEventListener('change', ({ matches }) => {
    if (matches || !open) return;
    open = false;
    router.replace({ details: 0 });
    draw();
  });
  view.listing.addEventListener('active', (event) => {
    const { index } = event.detail;
    const entry = view.source.get(index);
    // A jump may land where rows are still on their way.
    awaited = entry ? -1 : index;
    if (open) router.replace({ details: entry?.asset?.id ?? 0 });
  });
  view.addEventListener('arrived', () => {
    const asset = view.source.get(awaited)?.asset;
    if (!asset || awaited !== view.listing.active) return;
    awaited = -1;
    if (open) router.replace({ details: asset.id });
  });
  view.addEventListener('selection', () => draw());
  selected.addEventListener('change', () => draw());
  view.addEventListener('arrived', () => draw());
  view.addEventListener('place', () => draw());
  router.addEventListener('change', () => draw());
  panel.addEventListener('close', () => set(false));
  panel.addEventListener('view', (event) => router.push({ viewing: event.detail.id }, { ...router.memory, viewIndex: view.listing.active }));
  return { toggle: () => set(root.hidden), close: () => set(false), get open() { return !root.hidden; }, draw };
}

/** @param {import('./place_view.js').PlaceView} view @param {number} id */
function known(view, id) {
  for (const items of view.source.cache.windows.values()) {
    const found = items.find((asset) => asset.id === id);
    if (found) return found;
  }
  return null;
}

/** @param {{router: import('../router.js').Router, view: import('./place_view.js').PlaceView}} parts */
export function viewerOverlay({ router, view }) {
  const { source, listing } = view;
  /** Loaded when it is first likely to be needed. @type {import('../components/viewer.js').Viewer | null} */
  let viewer = null;
  /** @type {Promise<void> | null} */
  let loading = null;
  /** Where the shown asset stands in the listing, -1 while that is not known. */
  let index = -1;
  let turn = 0;
  let preloaded = -1;
  /** Was the viewer opened from this page, so that closing it is going back? */
  let pushed = false;

  function load() {
    loading ??= import('../components/viewer.js').then(({ Viewer }) => {
      viewer = new Viewer(byId('viewer'));
      wire(viewer);
    }, () => {
      loading = null;
    });
    return loading;
  }

  function draw() {
    const id = router.current.viewing;
    if (!viewer) {
      if (id !== 0) load().then(() => viewer && draw());
      return;
    }
    if (id === 0) {
      if (!viewer.open) return;
      viewer.hide();
      // Closing shows the asset last seen, scrolled into place.
      if (index >= 0) listing.activate(index, { quiet: true });
      listing.focus();
      index = -1;
      return;
    }
    const hint = router.memory.viewIndex;
    if (hint !== undefined && source.get(hint)?.asset?.id === id) index = hint;
    else if (source.get(index)?.asset?.id !== id) index = -1;
    const total = source.assets;
    viewer.show({ id, asset: known(view, id), mode: router.current.mode, index: index < 0 ? -1 : index - source.folders.length, total });
    if (index < 0) seek(id);
    else preload(index);
  }

  /** A pasted address names the asset only: asks where it stands. @param {number} id */
  async function seek(id) {
    if (!source.fetchRanks || !source.known) return;
    turn += 1;
    const mine = turn;
    const found = await source.ranks([id]).catch(() => null);
    const at = found?.at.get(id) ?? null;
    if (at === null || mine !== turn || router.current.viewing !== id) return;
    index = source.folders.length + at;
    viewer?.show({ id, asset: null, mode: router.current.mode, index: at, total: source.assets });
    source.want(index - 3, index + 3);
  }

  /** @param {number} to */
  async function go(to) {
    const least = source.folders.length;
    if (index < 0 || to < least || to >= source.length) return;
    source.want(to - 2, to + 2);
    turn += 1;
    const mine = turn;
    if (!source.get(to)) {
      await new Promise((resolve) => source.addEventListener('arrive', resolve, { once: true }));
      if (mine !== turn) return;
    }
    const asset = source.get(to)?.asset;
    if (!asset || router.current.viewing === 0) return;
    index = to;
    router.memory = { ...router.memory, viewIndex: to };
    router.replace({ viewing: asset.id, details: router.current.details ? asset.id : 0 });
  }

  /** The neighbours, so that turning a page shows a picture and no wait. @param {number} at */
  function preload(at) {
    if (preloaded === at) return;
    preloaded = at;
    for (const by of [1, -1, 2, -2, 3, -3]) {
      const asset = source.get(at + by)?.asset;
      const pictures = asset?.thumbnail ? [addressOf.thumbnail(asset.id, 512)] : [];
      if (Math.abs(by) === 1 && asset?.media_type.startsWith('image/') && asset.size_original < PRELOAD_BYTES_MAX) pictures.push(addressOf.bytes(asset.id));
      // What is looked at comes first.
      for (const src of pictures) Object.assign(new Image(), { fetchPriority: 'low', src });
    }
  }

  /** @param {EventTarget} made */
  function wire(made) {
    made.addEventListener('step', (event) => go(index + event.detail.by));
    made.addEventListener('end', (event) => go(event.detail.last ? source.length - 1 : source.folders.length));
    made.addEventListener('mode', (event) => {
      const { mode } = event.detail;
      const { id } = made;
      // Afterwards: this may be said while others are still told of the address before.
      queueMicrotask(() => router.current.viewing === id && router.replace({ mode }));
    });
    made.addEventListener('close', () => {
      if (router.current.viewing === 0) return;
      if (pushed) history.back();
      else router.replace({ viewing: 0 });
    });
  }
  listing.addEventListener('active', () => load(), { once: true });
  router.addEventListener('change', (event) => {
    const { previous, route, travelled } = event.detail;
    if (previous.viewing === 0 && route.viewing !== 0) pushed = !travelled;
    draw();
  });
  view.addEventListener('arrived', () => draw());
}
