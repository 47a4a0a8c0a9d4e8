// The list of keys, made from the table of actions and the listing's own keys.

import { shownKey } from '../actions.js';
import { byId, h, iconButton, openDialog, textField } from '../lib/html.js';

/** Keys that belong to a widget and not to the page. */
const WIDGET_KEYS = [
  ['Listing', [['Arrows, Page Up, Page Down, Home, End', 'Move'], ['Enter', 'Open'], ['Space', 'Select or not'], ['Shift + arrows', 'Select a range'],
    ['Ctrl + arrows', 'Move without selecting'], ['Letters', 'Jump to a name']]],
  ['Viewer', [['← →', 'Previous, next'], ['+ − 0 1 Z', 'Zoom'], ['Space', 'Play, or close'], ['F', 'Full screen'], ['Esc', 'Close']]],
  ['Places', [['→ ←', 'Open, close'], ['*', 'Open all beside it'], ['Enter', 'Go there']]],
];

/** @param {import('../actions.js').Actions} actions */
export function showShortcuts(actions) {
  const dialog = byId('shortcuts');
  const acting = [...actions.table.values()].filter(({ keys }) => keys?.length);
  const groups = Map.groupBy(acting, ({ group = 'Page' }) => group);
  const sections = [...[...groups].map(([title, list]) => [title, list.map(({ keys, label }) => [shownKey(keys[0]), label])]), ...WIDGET_KEYS];
  const none = h('p', { hidden: true, role: 'status' }, 'No key does that.');
  const lists = sections.map(([title, keys]) => ({
    title: h('h3', title),
    rows: keys.map(([key, label]) => ({ words: `${title} ${label} ${key}`.toLowerCase(), parts: [h('dt', label), h('dd', h('kbd', key))] })),
  }));
  const field = textField({ placeholder: 'Filter', label: 'Filter keys', autofocus: true, oninput: filter });

  function filter() {
    const wanted = field.value.toLowerCase().split(/\s+/);
    none.hidden = false;
    for (const { title, rows } of lists) {
      title.hidden = true;
      for (const { words, parts } of rows) {
        const fits = wanted.every((word) => words.includes(word));
        for (const part of parts) part.hidden = !fits;
        if (!fits) continue;
        none.hidden = true;
        title.hidden = false;
      }
    }
  }

  dialog.replaceChildren(
    h('header', h('h2#shortcuts-title', 'Keys'), field, iconButton('close', 'Close', () => dialog.close())),
    ...lists.flatMap(({ title, rows }) => [title, h('dl', rows.map(({ parts }) => parts))]), none);
  openDialog(dialog);
}
