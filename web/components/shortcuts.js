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
  const none = h('p', { hidden: true, role: 'status' }, 'No key does that.');
  const lists = sections.map(([title, keys]) => ({
    title: h('h3', title),
    rows: keys.map(([key, label]) => ({ words: `${title} ${label} ${key}`.toLowerCase(), parts: [h('dt', label), h('dd', h('kbd', key))] })),
  }));
  const field = h('input', {
    type: 'text', placeholder: 'Filter', label: 'Filter keys', autofocus: true, autocomplete: 'off', spellcheck: 'false', testid: 'shortcuts-filter',
    oninput: () => {
      const wanted = field.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const { title, rows } of lists) {
        const before = shown;
        for (const { words, parts } of rows) {
          const fits = wanted.every((/** @type {string} */ word) => words.includes(word));
          for (const part of parts) part.hidden = !fits;
          shown += Number(fits);
        }
        title.hidden = shown === before;
      }
      none.hidden = shown > 0;
    },
  });
  dialog.replaceChildren(
    h('header', h('h2', { id: 'shortcuts-title' }, 'Keys'), field,
      h('button.plain', { label: 'Close', onclick: () => dialog.close() }, icon('close'))),
    ...lists.flatMap(({ title, rows }) => [title, h('dl', ...rows.flatMap(({ parts }) => parts))]), none);
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.showModal();
}
