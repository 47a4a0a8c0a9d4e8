// What a person can do, once: label, keys, whether it can be done now and why not. Buttons, keys and the list of
// shortcuts are all made from this table, so they cannot tell different stories.

import { isTyping, set } from './lib/html.js';

/**
 * @typedef {{id: string, label: string, run: () => void, keys?: string[], group?: string, enabled?: () => boolean, why?: () => string,
 *   icon?: string, whileTyping?: boolean}} Action keys: "Ctrl+A", "Alt+Enter", "?", "F6"; Ctrl is Cmd on a Mac
 */

const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform);

export class Actions {
  /** @type {Map<string, Action>} */
  table = new Map();
  /** While true (the viewer is open), keys go elsewhere. */
  suspended = () => false;

  /** @param {[id: string, label: string, run: () => void, more: Partial<Action>][]} actions */
  add(...actions) {
    for (const [id, label, run, more] of actions) this.table.set(id, { id, label, run, ...more });
  }

  listen() {
    document.addEventListener('keydown', (event) => {
      if (event.defaultPrevented || event.isComposing || this.suspended()) return;
      const pressed = keyOf(event);
      for (const { id, keys, whileTyping, enabled } of this.table.values()) {
        if (!keys?.includes(pressed) || (isTyping(event.target) && !whileTyping) || enabled?.() === false) continue;
        event.preventDefault();
        this.run(id);
        return;
      }
    });
  }

  /** @param {string} id */
  run(id) {
    const { enabled, run } = this.table.get(id);
    if (enabled?.() !== false) run();
  }

  /** For a menu. @param {string} id @param {Record<string, any>} [other] what is said otherwise there */
  item(id, other) {
    const { label, icon, keys } = this.table.get(id);
    return { label, icon, keys, run: () => this.run(id), ...other };
  }

  /** Makes a button of the page do an action; name and tooltip come from the table. @param {HTMLElement} button @param {string} id */
  bind(button, id) {
    const { label, keys } = this.table.get(id);
    set(button, { title: `${label}${keys ? ` (${shownKey(keys[0])})` : ''}`, label: button.textContent.trim() ? null : label, onclick: () => this.run(id) });
  }
}

/** "Ctrl+Shift+A" for an event. Shift is named only where the key does not show it. @param {KeyboardEvent} event */
export function keyOf(event) {
  const letter = /^[a-z]$/i.test(event.key);
  const space = event.key === ' ';
  const key = letter ? event.key.toUpperCase() : space ? 'Space' : event.key;
  const shows = key.length === 1 && !letter;
  return [(isMac ? event.metaKey : event.ctrlKey) && 'Ctrl', event.altKey && 'Alt', event.shiftKey && !shows && 'Shift', key].filter(Boolean).join('+');
}

/** As the person's keyboard has it. @param {string} key */
export function shownKey(key) {
  const words = { ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc', ...(isMac && { Ctrl: '⌘', Alt: '⌥' }) };
  return key.split('+').map((part) => words[part] ?? part).join(isMac ? '' : '+');
}
