// The list of keys, made from the table of actions and the listing's own keys.

import { shownKey } from '../actions.js';
import { h, icon } from '../lib/html.js';

/** Keys that belong to a widget and not to the page. */
const WIDGET_KEYS = [
  ['Listing', [['Arrows, Page Up, Page Down, Home, End', 'Move'], ['Enter', 'Open'], ['Space', 'Select or not'], ['Shift + arrows', 'Select a range'],
    ['Ctrl + arrows', 'Move without selecting'], ['Letters', 'Jump to a name']]],
  ['Viewer', [['← →', 'Previous, next'], ['+ − 0 1 Z', 'Zoom'], ['Space', 'Play, or close'], ['F', 'Full screen'], ['Esc', 'Close']]],
  ['Places', [['→ ←', 'Open, close'], ['*', 'Open all beside it'], ['Enter', 'Go there']]],
];

/** @param {HTMLDialogElement} dialog @param {import('../actions.js').Actions} actions */
export function showShortcuts(dialog, actions) {
  /** @type {Map<string, [string, string][]>} */
  const groups = new Map();
  for (const action of actions.table.values()) {
    if (!action.keys?.length) continue;
    const group = groups.get(action.group ?? 'Page') ?? [];
    group.push([shownKey(action.keys[0]), action.label]);
    groups.set(action.group ?? 'Page', group);
  }
  const sections = [...groups, .../** @type {[string, [string, string][]][]} */ (WIDGET_KEYS)];
  dialog.replaceChildren(
    h('header', {}, h('h2', { id: 'shortcuts-title', tabindex: '-1', autofocus: true }, 'Keys'),
      h('button', { type: 'button', class: 'plain', 'aria-label': 'Close', onclick: () => dialog.close() }, icon('close'))),
    ...sections.flatMap(([title, keys]) => [h('h3', {}, title), h('dl', {}, ...keys.flatMap(([key, label]) => [h('dt', {}, label), h('dd', {}, h('kbd', {}, key))]))]));
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.showModal();
}
