// Keeps a listing live: what is sealed while one looks appears, and nothing moves under the person. What is new above or
// below the rows seen merges unseen; what would come among them waits in a pill, unless it was added from this page or the
// list is shorter than the view.

import { speak } from '../components/messages.js';
import { byId, plural, set, show } from '../lib/html.js';
import { throttled } from '../lib/queue.js';

const LIVE_MS = 500;
const FRESH_MS = 4000;

/** @param {import('./place_view.js').PlaceView} view @param {(id: number) => boolean} isOwn was this asset added from this page? */
export function liveListing(view, isOwn) {
  const { listing, source, selection } = view;
  const { scroller } = listing;
  let stale = false;
  let refreshing = false;
  /** The person wants to see what waits. */
  let asked = false;
  const soon = throttled(LIVE_MS, refresh);
  const pill = byId('new-here');
  set(pill, {
    onclick() {
      asked = true;
      stale = true;
      refresh();
      listing.focus();
    },
  });

  function touched() {
    stale = true;
    soon();
  }

  /** Another listing: nothing waits for it. */
  function reset() {
    stale = false;
    asked = false;
    show(pill, false);
  }

  /** Scrolling has come to rest: what waited for that may go on. */
  function rested() {
    if (stale || !pill.hidden) touched();
  }

  async function refresh() {
    if (!stale || refreshing || scroller.scrolling || !view.ready || listing.banding) return;
    stale = false;
    refreshing = true;
    try {
      await merge();
    } catch {
      stale = true;
    } finally {
      refreshing = false;
      if (stale) soon();
    }
  }

  async function merge() {
    const { visit } = view;
    const { columns } = listing;
    const seen = rowsSeen();
    const active = source.spot(listing.active);
    const [first, last] = [seen[0], seen.at(-1)];
    const ids = new Set([...[first, last, active].filter(Boolean).map(({ id }) => id), ...selection.ends()]);
    const { at, total } = await source.ranks([...ids]);
    if (visit !== view.visit) return;
    // At the very top there is nothing above to hold on to.
    const atTop = scroller.virtual < 1;
    const shift = first ? (at.get(first.id) ?? first.index) - first.index : 0;
    const rows = columns * (scroller.last - scroller.first + 1);
    const from = atTop ? 0 : Math.max(0, (first?.index ?? 0) + shift);
    const next = await source.cache.peek(Math.max(0, from - rows), from + rows * 2);
    if (!next || visit !== view.visit) return;
    const known = new Set(seen.map(({ id }) => id));
    const end = at.get(last?.id) ?? from + rows;
    const fresh = Array.from({ length: Math.max(0, end - from + 1) }, (_, i) => next.get(from + i)?.id).filter((id) => id !== undefined && !known.has(id));
    const short = source.length <= columns * Math.floor(scroller.viewport / scroller.pitch);
    if (!asked && !short && !fresh.every(isOwn)) {
      pill.textContent = `${plural(fresh.length, 'new one', 'new ones')} here`;
      show(pill, true);
      return;
    }
    asked = false;
    show(pill, false);
    const anchor = listing.anchor();
    const followed = source.assets === total || selection.follow(at);
    if (!next.apply()) return;
    source.page = next.answers[0].page;
    if (!followed) speak('Part of the selection was given up because the listing changed.');
    const activeAt = at.get(active?.id) ?? null;
    if (activeAt !== null) listing.active = source.folders.length + activeAt;
    listing.measure();
    if (!atTop && shift !== 0) listing.restore({ index: anchor.index + shift, px: anchor.px });
    markFresh(known);
    view.arrived();
    view.emit('selection');
  }

  /** The assets on the screen, in order. */
  function rowsSeen() {
    const { columns } = listing;
    const top = Math.floor(scroller.virtual / scroller.pitch) * columns;
    const bottom = Math.ceil((scroller.virtual + scroller.viewport) / scroller.pitch) * columns;
    return Array.from({ length: bottom - top }, (_, i) => source.spot(top + i)).filter(Boolean);
  }

  /** A dot for what has just come, for a while. @param {Set<number>} known ids shown before */
  function markFresh(known) {
    const { fresh } = listing;
    const added = rowsSeen().map(({ id }) => id).filter((id) => !known.has(id));
    for (const id of added) fresh.add(id);
    if (added.length > 0) setTimeout(() => {
      for (const id of added) fresh.delete(id);
      scroller.redraw();
    }, FRESH_MS);
  }

  return { touched, reset, rested };
}
