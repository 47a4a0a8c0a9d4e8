// Keys and pointers of the listing, as file managers have them: click selects, Ctrl adds, Shift ranges, double click opens;
// a finger taps to open and holds to select.

import { keyOf } from '../actions.js';

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
  if (spot) listing.selection.only(spot);
  else listing.selection.clear();
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

/** @param {Listing} listing @param {number} index @param {boolean} add */
function extend(listing, index, add) {
  const to = spotNear(listing, index);
  if (!to) return;
  listing.pivot ??= spotNear(listing, listing.active) ?? to;
  listing.selection.range(listing.pivot, to, add);
  listing.selectionChanged();
}

/** @param {Listing} listing */
export function listingKeys(listing) {
  let buffer = '';
  let bufferAt = 0;

  /** @param {KeyboardEvent} event @returns {number | null} */
  function target(event) {
    const { active, columns, source, scroller } = listing;
    const page = Math.max(1, Math.floor(scroller.viewport / scroller.pitch) - 1) * columns;
    const right = document.dir === 'rtl' ? -1 : 1;
    switch (event.key) {
      case 'ArrowDown': return active + columns > source.length - 1 && Math.floor(active / columns) === Math.floor((source.length - 1) / columns) ? active : active + columns;
      case 'ArrowUp': return active - columns < 0 ? active : active - columns;
      case 'ArrowRight': return listing.layout === 'grid' ? active + right : null;
      case 'ArrowLeft': return listing.layout === 'grid' ? active - right : null;
      case 'PageDown': return active + page;
      case 'PageUp': return active - page;
      case 'Home': return 0;
      case 'End': return source.length - 1;
      default: return null;
    }
  }

  listing.root.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.altKey || event.target !== listing.root) return;
    const ctrl = event.ctrlKey || event.metaKey;
    const to = target(event);
    if (to !== null) {
      event.preventDefault();
      buffer = '';
      const index = Math.min(Math.max(0, to), Math.max(0, listing.source.length - 1));
      // The pivot is fixed before the active entry moves away from it.
      if (event.shiftKey) listing.pivot ??= spotNear(listing, listing.active);
      listing.activate(index);
      if (event.shiftKey) extendWhenThere(listing, index, ctrl);
      else if (!ctrl) selectWhenThere(listing, index);
      return;
    }
    // When it was pressed, however late it is handled.
    const now = event.timeStamp;
    const typing = buffer !== '' && now - bufferAt < BUFFER_MS;
    // In the middle of a name a space is part of it; elsewhere it selects.
    if (event.key.length === 1 && !ctrl && (typing || /[\p{L}\p{N}]/u.test(event.key))) {
      event.preventDefault();
      buffer = typing ? buffer + event.key : event.key;
      bufferAt = now;
      listing.emit('typed', { prefix: buffer });
      return;
    }
    switch (keyOf(event)) {
      case 'Enter':
        event.preventDefault();
        listing.open(listing.active);
        return;
      case 'Space':
      case 'Ctrl+Space':
        event.preventDefault();
        toggle(listing, listing.active);
        return;
      case 'Shift+Space':
      case 'Ctrl+Shift+Space':
        event.preventDefault();
        extend(listing, listing.active, ctrl);
        return;
      case 'Ctrl+A':
        event.preventDefault();
        listing.selection.selectAll();
        listing.selectionChanged();
        return;
      case 'Escape':
        if (listing.selection.empty) return;
        event.preventDefault();
        listing.selection.clear();
        listing.pivot = null;
        listing.selectionChanged();
        return;
      default:
    }
  });
}

/** A jump may land where rows are still on their way. @param {Listing} listing @param {number} index */
function selectWhenThere(listing, index) {
  whenThere(listing, index, () => selectOnly(listing, index));
}

/** @param {Listing} listing @param {number} index @param {boolean} add */
function extendWhenThere(listing, index, add) {
  whenThere(listing, Math.max(index, listing.source.folders.length), () => extend(listing, index, add));
}

/** @param {Listing} listing @param {number} index @param {() => void} act */
function whenThere(listing, index, act) {
  if (listing.source.get(index)) {
    act();
    return;
  }
  const { active } = listing;
  listing.source.addEventListener('arrive', () => {
    if (listing.active === active && listing.source.get(index)) act();
  }, { once: true });
}

/** @param {Listing} listing */
export function listingPointers(listing) {
  const { root, box } = listing;
  let touch = false;
  let heldIndex = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let holdTimer;

  /** @param {Event} event */
  function indexAt(event) {
    const entry = /** @type {HTMLElement} */ (event.target).closest?.('[data-index]');
    return entry ? Number(/** @type {HTMLElement} */ (entry).dataset.index) : -1;
  }

  box.addEventListener('pointerdown', (event) => {
    touch = event.pointerType === 'touch';
    heldIndex = -1;
    clearTimeout(holdTimer);
    if (!touch) return;
    const index = indexAt(event);
    if (index < 0) return;
    holdTimer = setTimeout(() => {
      heldIndex = index;
      listing.activate(index, { reveal: false });
      toggle(listing, index);
    }, HOLD_MS);
  });
  for (const type of ['pointerup', 'pointercancel', 'pointermove']) {
    box.addEventListener(type, (event) => {
      const small = Math.hypot(/** @type {PointerEvent} */ (event).movementX ?? 0, /** @type {PointerEvent} */ (event).movementY ?? 0) < 4;
      if (type !== 'pointermove' || !small) clearTimeout(holdTimer);
    });
  }
  box.addEventListener('contextmenu', (event) => {
    if (touch) event.preventDefault();
  });
  // Cells can take the focus, so that a scroller full of them is one that keys reach; the grid keeps it.
  box.addEventListener('focusin', () => root.focus({ preventScroll: true }));
  box.addEventListener('mousedown', (event) => {
    root.focus({ preventScroll: true });
    if (event.shiftKey) event.preventDefault();
  });

  box.addEventListener('click', (event) => {
    const index = indexAt(event);
    const ctrl = event.ctrlKey || event.metaKey;
    if (index < 0) {
      if (!ctrl && !event.shiftKey && !listing.selection.empty) {
        listing.selection.clear();
        listing.pivot = null;
        listing.selectionChanged();
      }
      return;
    }
    if (touch) {
      if (heldIndex === index) return;
      if (listing.selection.empty || !listing.source.spot(index)) listing.open(index);
      else toggle(listing, index);
      return;
    }
    const onCheck = /** @type {HTMLElement} */ (event.target).closest('.check') !== null;
    if (event.shiftKey) listing.pivot ??= spotNear(listing, listing.active);
    listing.activate(index, { reveal: false, byPointer: true });
    if (event.shiftKey) extend(listing, index, ctrl);
    else if (ctrl || onCheck) toggle(listing, index);
    else selectOnly(listing, index);
  });

  box.addEventListener('dblclick', (event) => {
    const index = indexAt(event);
    if (index >= 0 && !touch && !event.ctrlKey && !event.metaKey && !event.shiftKey) listing.open(index);
  });
}
