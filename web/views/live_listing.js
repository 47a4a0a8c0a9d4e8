// Keeps a listing live: what is sealed while one looks appears, and nothing moves under the person. The first asset seen,
// the active one and the ends of the selection are found again by id among the new rows.

import { speak } from '../components/messages.js';
import { throttled } from '../lib/queue.js';

const LIVE_MS = 500;
const FRESH_MS = 4000;

export class LiveListing {
  /** @param {import('./place_view.js').PlaceView} view */
  constructor(view) {
    this.view = view;
    this.stale = false;
    this.refreshing = false;
    this.soon = throttled(LIVE_MS, () => this.refresh());
  }

  touched() {
    this.stale = true;
    this.soon();
  }

  /** Scrolling has come to rest: what waited for that may go on. */
  rested() {
    if (this.stale) this.soon();
  }

  async refresh() {
    const { view } = this;
    const { listing, source, selection, visit } = view;
    const { scroller, columns } = listing;
    if (!this.stale || this.refreshing || scroller.scrolling || !source.known) return;
    this.stale = false;
    this.refreshing = true;
    try {
      // At the very top there is nothing above to hold on to; what is new may show.
      const atTop = scroller.virtual < 1;
      const anchor = listing.anchor();
      const anchorSpot = atTop ? null : source.spot(anchor.index);
      const activeSpot = source.spot(listing.active);
      const folders = source.folders.length;
      const known = this.idsShown();
      const grown = await source.refresh(scroller.first * columns, (scroller.last + 1) * columns);
      if (grown === null || visit !== view.visit) return;
      const anchorAt = anchorSpot ? await source.locate(anchorSpot, grown) : null;
      const activeAt = activeSpot ? await source.locate(activeSpot, grown) : null;
      const whole = grown === 0 || (await selection.follow((spot) => source.locate(spot, grown)));
      if (visit !== view.visit) return;
      if (!whole) speak('Part of the selection was given up because the listing changed.');
      if (activeAt !== null) listing.active = folders + activeAt;
      listing.measure();
      if (anchorAt !== null && folders + anchorAt !== anchor.index) listing.restore({ index: folders + anchorAt, px: anchor.px });
      this.markFresh(known);
      view.arrived();
      view.dispatchEvent(new CustomEvent('selection'));
    } catch {
      this.stale = true;
    } finally {
      this.refreshing = false;
      if (this.stale) this.soon();
    }
  }

  idsShown() {
    const { listing, source } = this.view;
    const ids = new Set();
    for (let index = listing.scroller.first * listing.columns; index < (listing.scroller.last + 1) * listing.columns; index += 1) {
      const asset = source.get(index)?.asset;
      if (asset) ids.add(asset.id);
    }
    return ids;
  }

  /** A dot for what has just come, for a while. @param {Set<number>} known ids shown before */
  markFresh(known) {
    const { listing } = this.view;
    const fresh = [...this.idsShown()].filter((id) => !known.has(id));
    for (const id of fresh) listing.fresh.add(id);
    if (fresh.length === 0) return;
    setTimeout(() => {
      for (const id of fresh) listing.fresh.delete(id);
      listing.scroller.redraw();
    }, FRESH_MS);
  }
}
