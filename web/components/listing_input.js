// Keys and pointers of the listing, as file managers have them: click selects, Ctrl adds, Shift ranges, double click opens;
// a finger taps to open and holds to select.

import { keyOf } from '../actions.js';
import { set } from '../lib/html.js';
import { clamp } from '../lib/virtual_window.js';

const HOLD_MS = 500;
const BUFFER_MS = 800;

/** @param {import('./listing.js').Listing} listing */
export function listingInput(listing) {
  const { root, box, source, selection, scroller } = listing;
  let buffer = '';
  let bufferAt = 0;
  let touch = false;
  let heldIndex = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let holdTimer;

  const withCtrl = ({ ctrlKey, metaKey }) => ctrlKey || metaKey;
  const indexAt = ({ target }) => Number(target.closest?.('[data-index]')?.dataset.index ?? -1);
  const stopHolding = () => clearTimeout(holdTimer);
  // Cells can take the focus, so that a scroller full of them is one that keys reach; the grid keeps it.
  const keepFocus = () => listing.focus();

  /** The asset spot at or after an index, towards the assets: folders cannot be selected. @param {number} index */
  function spotNear(index) {
    return source.spot(Math.max(index, source.folders.length));
  }

  /** @param {number} index */
  function selectOnly(index) {
    listing.pivot = source.spot(index);
    selection.only(listing.pivot);
    listing.selectionChanged();
  }

  /** @param {number} index */
  function toggle(index) {
    const spot = source.spot(index);
    if (!spot) return;
    selection.toggle(spot);
    listing.pivot = spot;
    listing.selectionChanged();
  }

  /** The other end of a range, fixed before the active entry moves away from it. */
  function fixPivot() {
    listing.pivot ??= spotNear(listing.active);
  }

  /** @param {number} index @param {boolean} add */
  function extend(index, add) {
    const to = spotNear(index);
    if (!to) return;
    fixPivot();
    listing.pivot ??= to;
    selection.range(listing.pivot, to, add);
    listing.selectionChanged();
  }

  /** A jump may land where rows are still on their way. @param {number} index @param {() => void} act */
  function whenThere(index, act) {
    const { active } = listing;
    if (source.get(index)) act();
    else source.on('arrive', () => listing.active === active && source.get(index) && act(), { once: true });
  }

  /** @param {string} key @returns {number | undefined} where it leads, if anywhere */
  function target(key) {
    const { active, columns, layout } = listing;
    const { length } = source;
    const page = Math.max(1, Math.floor(scroller.viewport / scroller.pitch) - 1) * columns;
    const inLastRow = Math.floor(active / columns) === Math.floor((length - 1) / columns);
    /** @type {Record<string, number>} */
    const to = {
      ArrowDown: inLastRow ? active : active + columns,
      ArrowUp: active < columns ? active : active - columns,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: length - 1,
      ...(layout === 'grid' && { ArrowRight: active + 1, ArrowLeft: active - 1 }),
    };
    return to[key];
  }

  set(root, {
    onkeydown(event) {
      const { altKey, shiftKey, key, timeStamp } = event;
      if (event.defaultPrevented || altKey || event.target !== root) return;
      const ctrl = withCtrl(event);
      const to = target(key);
      // When it was pressed, however late it is handled.
      const typing = buffer !== '' && timeStamp - bufferAt < BUFFER_MS;
      const select = () => toggle(listing.active);
      const range = () => extend(listing.active, ctrl);
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
        const index = clamp(to, 0, source.length - 1);
        if (shiftKey) fixPivot();
        listing.activate(index);
        if (shiftKey) whenThere(Math.max(index, source.folders.length), () => extend(index, ctrl));
        else if (!ctrl) whenThere(index, () => selectOnly(index));
      } else if (key.length === 1 && !ctrl && (typing || /[\p{L}\p{N}]/u.test(key))) {
        // In the middle of a name a space is part of it; elsewhere it selects.
        buffer = typing ? buffer + key : key;
        bufferAt = timeStamp;
        listing.emit('typed', { prefix: buffer });
      } else if (acts[keyOf(event)]) acts[keyOf(event)]();
      else return;
      event.preventDefault();
    },
  });

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
        toggle(index);
      }, HOLD_MS);
    },
    onpointerup: stopHolding,
    onpointercancel: stopHolding,
    onpointermove: ({ movementX, movementY }) => Math.hypot(movementX, movementY) < 4 || stopHolding(),
    oncontextmenu: (event) => touch && event.preventDefault(),
    onfocusin: keepFocus,
    onmousedown(event) {
      keepFocus();
      if (event.shiftKey) event.preventDefault();
    },
    onclick(event) {
      const { shiftKey } = event;
      const index = indexAt(event);
      const ctrl = withCtrl(event);
      if (index < 0) {
        if (!ctrl && !shiftKey && !selection.empty) listing.clearSelection();
      } else if (touch) {
        if (heldIndex === index) return;
        if (selection.empty || !source.spot(index)) listing.open(index);
        else toggle(index);
      } else {
        if (shiftKey) fixPivot();
        listing.activate(index, { reveal: false });
        if (shiftKey) extend(index, ctrl);
        else if (ctrl || event.target.closest('.check')) toggle(index);
        else selectOnly(index);
      }
    },
    ondblclick(event) {
      const index = indexAt(event);
      if (index >= 0 && !touch && !withCtrl(event) && !event.shiftKey) listing.open(index);
    },
  });
}
