// Keys and pointers of the listing, as file managers have them: click selects, Ctrl adds, Shift ranges, double click opens;
// a finger taps to open and holds to select.

import { keyOf } from '../actions.js';
import { set } from '../lib/html.js';
import { clamp } from '../lib/virtual_window.js';

const HOLD_MS = 500;
const BUFFER_MS = 800;

/** @typedef {import('./listing.js').Listing} Listing */

/** The asset spot at or after an index, towards the assets: folders cannot be selected. @param {Listing} listing @param {number} index */
function spotNear(listing, index) {
  return listing.source.spot(Math.max(index, listing.source.folders.length));
}

/** @param {Listing} listing @param {number} index */
function selectOnly(listing, index) {
  const spot = listing.source.spot(index);
  listing.selection.only(spot);
  listing.pivot = spot;
  listing.selectionChanged();
}

/** @param {Listing} listing @param {number} index */
function toggle(listing, index) {
  const spot = listing.source.spot(index);
  if (!spot) return;
  listing.selection.toggle(spot);
  listing.pivot = spot;
  listing.selectionChanged();
}

/** The other end of a range, fixed before the active entry moves away from it. @param {Listing} listing */
function fixPivot(listing) {
  listing.pivot ??= spotNear(listing, listing.active);
}

/** @param {Listing} listing @param {number} index @param {boolean} add */
function extend(listing, index, add) {
  const to = spotNear(listing, index);
  if (!to) return;
  fixPivot(listing);
  listing.pivot ??= to;
  listing.selection.range(listing.pivot, to, add);
  listing.selectionChanged();
}

/** @param {Listing} listing */
export function listingKeys(listing) {
  let buffer = '';
  let bufferAt = 0;

  /** @param {string} key @returns {number | undefined} where it leads, if anywhere */
  function target(key) {
    const { active, columns, source: { length }, scroller, layout } = listing;
    const page = Math.max(1, Math.floor(scroller.viewport / scroller.pitch) - 1) * columns;
    const inLastRow = Math.floor(active / columns) === Math.floor((length - 1) / columns);
    const beside = document.dir === 'rtl' ? -1 : 1;
    /** @type {Record<string, number>} */
    const to = {
      ArrowDown: inLastRow ? active : active + columns,
      ArrowUp: active < columns ? active : active - columns,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: length - 1,
      ...(layout === 'grid' && { ArrowRight: active + beside, ArrowLeft: active - beside }),
    };
    return to[key];
  }

  const onkeydown = (event) => {
    if (event.defaultPrevented || event.altKey || event.target !== listing.root) return;
    const ctrl = event.ctrlKey || event.metaKey;
    const to = target(event.key);
    // When it was pressed, however late it is handled.
    const typing = buffer !== '' && event.timeStamp - bufferAt < BUFFER_MS;
    const select = () => toggle(listing, listing.active);
    const range = () => extend(listing, listing.active, ctrl);
    /** @type {Record<string, () => void>} */
    const acts = {
      Enter: () => listing.open(listing.active),
      Space: select,
      'Ctrl+Space': select,
      'Shift+Space': range,
      'Ctrl+Shift+Space': range,
    };
    if (to !== undefined) {
      buffer = '';
      const index = clamp(to, 0, listing.source.length - 1);
      if (event.shiftKey) fixPivot(listing);
      listing.activate(index);
      if (event.shiftKey) whenThere(listing, Math.max(index, listing.source.folders.length), () => extend(listing, index, ctrl));
      else if (!ctrl) whenThere(listing, index, () => selectOnly(listing, index));
    } else if (event.key.length === 1 && !ctrl && (typing || /[\p{L}\p{N}]/u.test(event.key))) {
      // In the middle of a name a space is part of it; elsewhere it selects.
      buffer = typing ? buffer + event.key : event.key;
      bufferAt = event.timeStamp;
      listing.emit('typed', { prefix: buffer });
    } else if (acts[keyOf(event)]) acts[keyOf(event)]();
    else return;
    event.preventDefault();
  };
  set(listing.root, { onkeydown });
}

/** A jump may land where rows are still on their way. @param {Listing} listing @param {number} index @param {() => void} act */
function whenThere(listing, index, act) {
  const { active, source } = listing;
  if (source.get(index)) act();
  else source.on('arrive', () => listing.active === active && source.get(index) && act(), { once: true });
}

/** @param {Listing} listing */
export function listingPointers(listing) {
  const { root, box } = listing;
  let touch = false;
  let heldIndex = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let holdTimer;

  const indexAt = ({ target }) => Number(target.closest?.('[data-index]')?.dataset.index ?? -1);
  const stopHolding = () => clearTimeout(holdTimer);

  set(box, {
    onpointerdown(event) {
      touch = event.pointerType === 'touch';
      heldIndex = -1;
      stopHolding();
      const index = indexAt(event);
      if (!touch || index < 0) return;
      holdTimer = setTimeout(() => {
        heldIndex = index;
        listing.activate(index, { reveal: false });
        toggle(listing, index);
      }, HOLD_MS);
    },
    onpointerup: stopHolding,
    onpointercancel: stopHolding,
    onpointermove: ({ movementX, movementY }) => Math.hypot(movementX, movementY) < 4 || stopHolding(),
    oncontextmenu: (event) => touch && event.preventDefault(),
    // Cells can take the focus, so that a scroller full of them is one that keys reach; the grid keeps it.
    onfocusin: () => root.focus({ preventScroll: true }),
    onmousedown(event) {
      root.focus({ preventScroll: true });
      if (event.shiftKey) event.preventDefault();
    },
    onclick(event) {
      const { shiftKey, target } = event;
      const index = indexAt(event);
      const ctrl = event.ctrlKey || event.metaKey;
      const { selection } = listing;
      if (index < 0) {
        if (!ctrl && !shiftKey && !selection.empty) listing.clearSelection();
      } else if (touch) {
        if (heldIndex === index) return;
        if (selection.empty || !listing.source.spot(index)) listing.open(index);
        else toggle(listing, index);
      } else {
        if (shiftKey) fixPivot(listing);
        listing.activate(index, { reveal: false, byPointer: true });
        if (shiftKey) extend(listing, index, ctrl);
        else if (ctrl || target.closest('.check')) toggle(listing, index);
        else selectOnly(listing, index);
      }
    },
    ondblclick(event) {
      const index = indexAt(event);
      if (index >= 0 && !touch && !event.ctrlKey && !event.metaKey && !event.shiftKey) listing.open(index);
    },
  });
}
