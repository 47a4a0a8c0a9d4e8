// What a person can do, once: label, keys, whether it can be done now and why not. Buttons, keys and the list of
// shortcuts are all made from this table, so they cannot tell different stories.

import { isTyping } from './lib/html.js';

/**
 * @typedef {{id: string, label: string, keys?: string[], group?: string, enabled?: () => boolean, why?: () => string,
 *   icon?: string, run: () => void, whileTyping?: boolean}} Action keys: "Ctrl+A", "Alt+Enter", "?", "F6"; Ctrl is Cmd on a Mac
 */

const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform ?? '');

export class Actions {
  constructor() {
    /** @type {Map<string, Action>} */
    this.table = new Map();
    /** While true (the viewer is open), keys go elsewhere. */
    this.suspended = () => false;
  }

  /** @param {Action} action */
  add(action) {
    this.table.set(action.id, action);
  }

  listen() {
    document.addEventListener('keydown', (event) => {
      if (event.defaultPrevented || event.isComposing || this.suspended()) return;
      const pressed = keyOf(event);
      for (const action of this.table.values()) {
        if (!action.keys?.includes(pressed)) continue;
        if (isTyping(event.target) && !action.whileTyping) continue;
        if (action.enabled && !action.enabled()) continue;
        event.preventDefault();
        action.run();
        return;
      }
    });
  }

  /** @param {string} id */
  run(id) {
    const action = this.table.get(id);
    if (action && (!action.enabled || action.enabled())) action.run();
  }

  /** Makes a button of the page do an action; name and tooltip come from the table. @param {HTMLElement} button @param {string} id */
  bind(button, id) {
    const action = this.table.get(id);
    if (!action) throw new Error(`no action ${id}`);
    const key = action.keys?.[0] ? ` (${shownKey(action.keys[0])})` : '';
    button.title = `${action.label}${key}`;
    if (!button.textContent?.trim()) button.setAttribute('aria-label', action.label);
    button.addEventListener('click', () => this.run(id));
  }
}

/** "Ctrl+Shift+A" for an event. Shift is named only where the key does not show it. @param {KeyboardEvent} event */
export function keyOf(event) {
  const named = event.key.length > 1;
  const letter = /^[a-z]$/i.test(event.key);
  const key = letter ? event.key.toUpperCase() : event.key === ' ' ? 'Space' : event.key;
  const parts = [];
  if (isMac ? event.metaKey : event.ctrlKey) parts.push('Ctrl');
  if (event.altKey) parts.push('Alt');
  if (event.shiftKey && (named || letter || event.key === ' ')) parts.push('Shift');
  return [...parts, key].join('+');
}

/** As the person's keyboard has it. @param {string} key */
export function shownKey(key) {
  const words = { ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc' };
  return key.split('+').map((part) => {
    if (isMac && part === 'Ctrl') return '⌘';
    if (isMac && part === 'Alt') return '⌥';
    return words[part] ?? part;
  }).join(isMac ? '' : '+');
}
