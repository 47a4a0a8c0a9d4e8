// What opens over or beside the listing: the details panel and the viewer, both kept in the address.

import { addressOf } from '../api.js';
import { byId, bytes, dayAndTime, hasFocus, plural, set, show } from '../lib/html.js';
import { detailsOf } from '../components/details.js';
import { isPage } from '../router.js';
import { habits } from '../state.js';

/** A neighbour larger than this is fetched when it is turned to. */
const PRELOAD_BYTES_MAX = 20_000_000;
/** Assets on each side of the one shown that are kept at hand. */
const NEAR = 3;
const WIDE = '(min-width: 1200px)';
const BESIDE = '(min-width: 1024px)';

/** @param {{router: import('../router.js').Router, view: import('./place_view.js').PlaceView, selected: import('./selected.js').Selected}} parts */
export function detailsPanel({ router, view, selected }) {
  const root = byId('details');
  const panel = detailsOf(root, {
    close: () => turn(false),
    view: (id) => router.push({ viewing: id }, { ...router.memory, viewIndex: listing.active }),
  });
  const { listing, source } = view;
  const beside = matchMedia(BESIDE);
  /** Became active before it was here. */
  let awaited = -1;
  let open = matchMedia(WIDE).matches && habits.get('details', 'open') === 'open';

  /** @param {boolean} next */
  function turn(next) {
    open = next;
    if (beside.matches) habits.set('details', next ? 'open' : 'closed');
    const asset = source.get(listing.active)?.asset;
    if (next && asset && !view.selection.empty) follow(asset);
    if (!next) {
      panel.forget();
      if (hasFocus(root)) listing.focus();
      follow();
    }
    draw();
  }

  /** The address follows the active asset while the panel is open. @param {import('../api.js').Asset} [asset] */
  function follow(asset) {
    router.replace({ details: asset?.id ?? 0 });
  }

  function draw() {
    const { current } = router;
    const id = current.details;
    const shown = (open || id > 0) && !isPage(current);
    open ||= shown && id > 0;
    show(root, shown);
    set('toggle-details', { pressed: shown });
    if (!shown) return;
    const { n, size } = selected;
    if (n > 1) {
      panel.showSelection(n, size === null ? '' : bytes(size));
    } else if (id > 0) {
      panel.showAsset(source.find(id), id);
    } else {
      const { place } = view;
      const { page } = source;
      panel.showPlace(view.name || 'Not here', view.summary(), [
        ...(page ? [['Assets', plural(page.total, 'asset')], ['Size', bytes(page.bytes)]] : []),
        ...(place ? [['Created', dayAndTime(place.created_at_unix_ms)], ['Entry', place.id]] : []),
      ], view.zipAddress);
    }
  }

  // Beside the listing the panel may stay; over it, it would cover what the person came for.
  set(beside, {
    onchange({ matches }) {
      if (matches || !open) return;
      open = false;
      follow();
      draw();
    },
  });
  listing.on('active', ({ index }) => {
    const entry = source.get(index);
    // A jump may land where rows are still on their way.
    awaited = entry ? -1 : index;
    if (open) follow(entry?.asset);
  });
  view.on('arrived', () => {
    const asset = source.get(awaited)?.asset;
    if (!asset || awaited !== listing.active) return;
    awaited = -1;
    if (open) follow(asset);
  });
  view.on('selection arrived place', draw);
  selected.on('change', draw);
  router.on('change', draw);
  return { toggle: () => turn(root.hidden), draw };
}

/** @param {{router: import('../router.js').Router, view: import('./place_view.js').PlaceView}} parts */
export function viewerOverlay({ router, view }) {
  const { source, listing } = view;
  const dialog = byId('viewer');
  /** Loaded when it is first likely to be needed. @type {ReturnType<typeof import('../components/viewer.js').makeViewer> | null} */
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
    loading ??= import('../components/viewer.js').then(({ makeViewer }) => {
      viewer = makeViewer(dialog, listing.thumbs, {
        step: (by) => go(index + by),
        end: (last) => go(last ? source.length - 1 : source.folders.length),
        // Afterwards: this may be said while others are still told of the address before.
        told: (id, mode) => queueMicrotask(() => router.current.viewing === id && router.replace({ mode })),
        close() {
          if (router.current.viewing === 0) return;
          if (pushed) history.back();
          else router.replace({ viewing: 0 });
        },
      });
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
      if (!dialog.open) return;
      viewer.hide();
      // Closing shows the asset last seen, scrolled into place.
      if (index >= 0) listing.activate(index, { quiet: true });
      listing.focus();
      index = -1;
      return;
    }
    index = [router.memory.viewIndex, index].find((at) => source.get(at)?.asset?.id === id) ?? -1;
    tell(source.find(id));
    if (index < 0) seek(id);
    else preload(index);
  }

  /** @param {import('../api.js').Asset | null} asset */
  function tell(asset) {
    const { viewing: id, mode } = router.current;
    const known = index >= 0;
    viewer.show({
      id, asset, mode, index: known ? index - source.folders.length : -1, total: source.assets, near: (by) => (known ? source.get(index + by)?.asset : undefined),
    });
  }

  /** A pasted address names the asset only: asks where it stands. @param {number} id */
  async function seek(id) {
    if (!source.fetchRanks || !source.known) return;
    turn += 1;
    const mine = turn;
    const at = await source.indexOf(id);
    if (at < 0 || mine !== turn || router.current.viewing !== id) return;
    index = at;
    tell(null);
    source.want(index - NEAR, index + NEAR);
  }

  /** @param {number} to */
  async function go(to) {
    if (index < 0 || to < source.folders.length || to >= source.length) return;
    source.want(to - NEAR, to + NEAR);
    turn += 1;
    const mine = turn;
    if (!source.get(to)) await new Promise((resolve) => source.on('arrive', resolve, { once: true }));
    const asset = source.get(to)?.asset;
    if (!asset || mine !== turn || router.current.viewing === 0) return;
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

  listing.on('active', load, { once: true });
  router.on('change', ({ previous, route, travelled }) => {
    if (previous.viewing === 0 && route.viewing !== 0) pushed = !travelled;
    draw();
  });
  view.on('arrived', draw);
}
