// Keeps a listing live: what is sealed while one looks appears, and nothing moves under the person. What is new above or
// below the rows seen merges unseen; what would come among them waits in a pill, unless it was added from this page or the
// list is shorter than the view.

import { speak } from '../components/messages.js';
import { plural } from '../lib/format.js';
import { byId, show } from '../lib/html.js';
import { throttled } from '../lib/queue.js';

const LIVE_MS = 500;
const FRESH_MS = 4000;

export class LiveListing {
  /** @param {import('./place_view.js').PlaceView} view @param {(id: number) => boolean} isOwn was this asset added from this page? */
  constructor(view, isOwn) {
    this.view = view;
    this.isOwn = isOwn;
    this.stale = false;
    this.refreshing = false;
    /** The person wants to see what waits. */
    this.asked = false;
    this.soon = throttled(LIVE_MS, () => this.refresh());
    this.pill = byId('new-here');
    this.pill.addEventListener('click', () => {
      this.asked = true;
      this.stale = true;
      this.refresh();
      view.listing.focus();
    });
  }

  touched() {
    this.stale = true;
    this.soon();
  }

  /** Another listing: nothing waits for it. */
  reset() {
    this.stale = false;
    this.asked = false;
    show(this.pill, false);
  }

  /** Scrolling has come to rest: what waited for that may go on. */
  rested() {
    if (this.stale || !this.pill.hidden) {
      this.stale = true;
      this.soon();
    }
  }

  async refresh() {
    const { view } = this;
    if (!this.stale || this.refreshing || view.listing.scroller.scrolling || !view.ready || view.listing.banding) return;
    this.stale = false;
    this.refreshing = true;
    try {
      await this.merge();
    } catch {
      this.stale = true;
    } finally {
      this.refreshing = false;
      if (this.stale) this.soon();
    }
  }

  async merge() {
    const { view } = this;
    const { listing, source, selection, visit } = view;
    const folders = source.folders.length;
    const seen = this.seen();
    const active = source.spot(listing.active);
    const [first, last] = [seen[0], seen.at(-1)];
    const { at, total } = await source.ranks([...new Set([first?.id, last?.id, active?.id, ...selection.ends()])].filter((id) => id !== undefined).map(Number));
    if (visit !== view.visit) return;
    // At the very top there is nothing above to hold on to.
    const atTop = listing.scroller.virtual < 1;
    const shift = first ? (at.get(first.id) ?? first.index) - first.index : 0;
    const rows = listing.columns * (listing.scroller.last - listing.scroller.first + 1);
    const from = atTop ? 0 : Math.max(0, (first?.index ?? 0) + shift);
    const next = await source.cache.peek(Math.max(0, from - rows), from + rows * 2);
    if (!next || visit !== view.visit) return;
    const known = new Set(seen.map(({ id }) => id));
    const end = last ? at.get(last.id) ?? from + rows : from + rows;
    const fresh = [];
    for (let index = from; index <= end; index += 1) {
      const asset = next.get(index);
      if (asset && !known.has(asset.id)) fresh.push(asset.id);
    }
    const short = source.length <= listing.columns * Math.floor(listing.scroller.viewport / listing.scroller.pitch);
    if (!this.asked && !short && fresh.some((id) => !this.isOwn(id))) {
      this.pill.textContent = `${plural(fresh.length, 'new one', 'new ones')} here`;
      show(this.pill, true);
      return;
    }
    this.asked = false;
    show(this.pill, false);
    const anchor = listing.anchor();
    const followed = source.assets === total || selection.follow(at);
    if (!next.apply()) return;
    source.page = /** @type {any} */ (next.answers[0]).page;
    if (!followed) speak('Part of the selection was given up because the listing changed.');
    const activeAt = active && at.get(active.id);
    if (activeAt !== null && activeAt !== undefined) listing.active = folders + activeAt;
    listing.measure();
    if (!atTop && shift !== 0) listing.restore({ index: anchor.index + shift, px: anchor.px });
    this.markFresh(known);
    view.arrived();
    view.dispatchEvent(new CustomEvent('selection'));
  }

  /** The assets on the screen, in order. */
  seen() {
    const { listing, source } = this.view;
    const { scroller, columns } = listing;
    const top = Math.floor(scroller.virtual / scroller.pitch);
    const bottom = Math.ceil((scroller.virtual + scroller.viewport) / scroller.pitch);
    const spots = [];
    for (let index = top * columns; index < bottom * columns; index += 1) {
      const spot = source.spot(index);
      if (spot) spots.push(spot);
    }
    return spots;
  }

  /** A dot for what has just come, for a while. @param {Set<number>} known ids shown before */
  markFresh(known) {
    const { listing } = this.view;
    const fresh = this.seen().map(({ id }) => id).filter((id) => !known.has(id));
    for (const id of fresh) listing.fresh.add(id);
    if (fresh.length === 0) return;
    setTimeout(() => {
      for (const id of fresh) listing.fresh.delete(id);
      listing.scroller.redraw();
    }, FRESH_MS);
  }
}
