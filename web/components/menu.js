// A small menu at a button: native popover, arrow keys, closes by itself. Items are made anew each time it opens.

import { byId, h, hasFocus, icon, set } from '../lib/html.js';
import { shownKey } from '../actions.js';
import { clamp } from '../lib/virtual_window.js';

/**
 * @typedef {{label: string, icon?: string, keys?: string[], run: () => void, id?: string, checked?: boolean}} Item
 * @param {string} id of the button @param {string} tip @param {() => (Item | 'line' | {hint: string} | null | undefined)[]} items what there is nothing of is left out
 */
export function attachMenu(id, tip, items) {
  const button = byId(id);
  const menu = h('div.menu', { popover: 'auto', role: 'menu', onkeydown: onKey, ontoggle: onToggle });
  (button.closest('header') ?? document.body).append(menu);
  set(button, { tip, 'aria-haspopup': 'menu', expanded: false, onclick: open });

  /** @param {any} item */
  function draw(item) {
    if (item === 'line') return h('hr');
    const { hint, label, icon: glyph, keys, id, checked, run } = item;
    if (hint) return h('p.hint', hint);
    const onclick = () => {
      menu.hidePopover();
      run();
    };
    return h('button.plain', { role: checked === undefined ? 'menuitem' : 'menuitemradio', 'aria-checked': checked, id, onclick },
      glyph && icon(glyph), h('span', label), keys && h('kbd', { 'aria-hidden': true }, shownKey(keys[0])), checked !== undefined && h('span.tick', icon('check')));
  }

  function open() {
    if (menu.matches(':popover-open')) {
      menu.hidePopover();
      return;
    }
    menu.replaceChildren(...items().filter(Boolean).map(draw));
    menu.showPopover();
    const at = button.getBoundingClientRect();
    menu.style.left = `${clamp(at.left, 8, innerWidth - menu.offsetWidth - 8)}px`;
    menu.style.top = `${clamp(at.bottom + 4, 8, innerHeight - menu.offsetHeight - 8)}px`;
    menu.querySelector('button')?.focus();
  }

  /** @param {any} event */
  function onToggle({ newState }) {
    set(button, { expanded: newState === 'open' });
    if (newState === 'closed' && hasFocus(menu)) button.focus();
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const buttons = [...menu.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    buttons.at(to % buttons.length)?.focus();
  }
}
