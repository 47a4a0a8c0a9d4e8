// A small menu at a button: native popover, arrow keys, closes by itself. Items are made anew each time it opens.

import { h, icon } from '../lib/html.js';
import { shownKey } from '../actions.js';

/**
 * @typedef {{label: string, icon?: string, keys?: string[], run: () => void, testid?: string, checked?: boolean}} Item
 * @param {HTMLButtonElement} button @param {() => (Item | 'line' | {hint: string})[]} items
 */
export function attachMenu(button, items) {
  const menu = h('div.menu', { popover: 'auto', role: 'menu' });
  (button.closest('header') ?? document.body).append(menu);
  button.setAttribute('aria-haspopup', 'menu');
  button.setAttribute('aria-expanded', 'false');

  function fill() {
    menu.replaceChildren(...items().map((item) => {
      if (item === 'line') return h('hr');
      if ('hint' in item) return h('p.hint', item.hint);
      return h('button', {
        role: item.checked === undefined ? 'menuitem' : 'menuitemradio',
        'aria-checked': item.checked === undefined ? null : String(item.checked),
        testid: item.testid,
        onclick: () => {
          menu.hidePopover();
          item.run();
        },
      }, item.icon && icon(item.icon), h('span', item.label),
      item.keys?.[0] && h('kbd', { 'aria-hidden': 'true' }, shownKey(item.keys[0])),
      item.checked !== undefined && h('span.tick', icon('check')));
    }));
  }

  function place() {
    const at = button.getBoundingClientRect();
    const left = Math.min(at.left, innerWidth - menu.offsetWidth - 8);
    menu.style.left = `${Math.max(8, left)}px`;
    menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
  }

  button.addEventListener('click', () => {
    if (menu.matches(':popover-open')) {
      menu.hidePopover();
      return;
    }
    fill();
    menu.showPopover();
    place();
    menu.querySelector('button')?.focus();
  });
  menu.addEventListener('toggle', (/** @type {any} */ event) => {
    button.setAttribute('aria-expanded', String(event.newState === 'open'));
    if (event.newState === 'closed' && menu.contains(document.activeElement)) button.focus();
  });
  menu.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    const buttons = [...menu.querySelectorAll('button')];
    const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 };
    const to = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (to === undefined) return;
    event.preventDefault();
    buttons[(to + buttons.length) % buttons.length]?.focus();
  });
}
