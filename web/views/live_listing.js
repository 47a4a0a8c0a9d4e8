// Keeps a listing live: what is sealed while one looks appears, and nothing moves under the person. What is new above or
// below the rows seen merges unseen; what would come among them waits in a pill, unless it was added from this page or the
// list is shorter than the view.

import { speak } from '../components/messages.js';
import { byId, plural, set, show } from '../lib/html.js';
import { throttled } from '../lib/queue.js';

const LIVE_MS = 500;
const FRESH_MS = 4000;

export class LiveListing {
  stale = false;
  refreshing = false;
  /** The person wants to see what waits. */
  asked = false;
  soon = throttled(LIVE_MS, () => this.refresh());
  pill = byId('new-here');

  /** @param {import('./place_view.js').PlaceView} view @param {(id: number) => boolean} isOwn was this asset added from this page? */
  constructor(view, isOwn) {
    this.view = view;
    this.isOwn = isOwn;
    set(this.pill, {
      onclick: () => {
        this.asked = true;
        this.stale = true;
        this.refresh();
        view.listing.focus();
      },
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
    if (this.stale || !this.pill.hidden) this.touched();
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
    const { scroller, columns } = listing;
    const seen = this.seen();
    const active = source.spot(listing.active);
    const [first, last] = [seen[0], seen.at(-1)];
    const asked = [...[first, last, active].filter(Boolean).map(({ id }) => id), ...selection.ends()];
    const { at, total } = await source.ranks([...new Set(asked)]);
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
    if (!this.asked && !short && !fresh.every(this.isOwn)) {
      this.pill.textContent = `${plural(fresh.length, 'new one', 'new ones')} here`;
      show(this.pill, true);
      return;
    }
    this.asked = false;
    show(this.pill, false);
    const anchor = listing.anchor();
    const followed = source.assets === total || selection.follow(at);
    if (!next.apply()) return;
    source.page = next.answers[0].page;
    if (!followed) speak('Part of the selection was given up because the listing changed.');
    const activeAt = at.get(active?.id) ?? null;
    if (activeAt !== null) listing.active = source.folders.length + activeAt;
    listing.measure();
    if (!atTop && shift !== 0) listing.restore({ index: anchor.index + shift, px: anchor.px });
    this.markFresh(known);
    view.arrived();
    view.emit('selection');
  }

  /** The assets on the screen, in order. */
  seen() {
    const { listing, source } = this.view;
    const { scroller, columns } = listing;
    const top = Math.floor(scroller.virtual / scroller.pitch) * columns;
    const bottom = Math.ceil((scroller.virtual + scroller.viewport) / scroller.pitch) * columns;
    return Array.from({ length: bottom - top }, (_, i) => source.spot(top + i)).filter(Boolean);
  }

  /** A dot for what has just come, for a while. @param {Set<number>} known ids shown before */
  markFresh(known) {
    const { fresh, scroller } = this.view.listing;
    const added = this.seen().map(({ id }) => id).filter((id) => !known.has(id));
    for (const id of added) fresh.add(id);
    if (added.length > 0) setTimeout(() => {
      for (const id of added) fresh.delete(id);
      scroller.redraw();
    }, FRESH_MS);
  }
}
