// Options below a field, one of them marked: what the palette and the search field have in common. The field keeps the focus.

import { set } from '../lib/html.js';

/** @param {HTMLInputElement} field @param {HTMLElement} list */
export function combobox(field, list) {
  /** @type {HTMLElement[]} */
  let options = [];
  set(field, { role: 'combobox', autocomplete: 'off', spellcheck: 'false', 'aria-autocomplete': 'list', 'aria-controls': list.id, expanded: false });
  // A click on an option must not take the focus first.
  set(list, { role: 'listbox', onmousedown: (event) => event.target !== list && event.preventDefault() });

  const box = {
    active: -1,

    /** The list has these options now, none of them marked; without any it is closed. */
    changed() {
      options = [...list.querySelectorAll('[role="option"]')];
      box.active = -1;
      set(field, { expanded: options.length > 0, activedescendant: null });
      for (const option of options) set(option, { selected: false });
    },

    /** @param {number} to around the ends */
    mark(to) {
      if (options.length === 0) return;
      if (box.active >= 0) set(options[box.active], { selected: false });
      box.active = (to + options.length) % options.length;
      const marked = options[box.active];
      set(marked, { selected: true }).scrollIntoView({ block: 'nearest' });
      set(field, { activedescendant: marked.id });
    },
  };
  return box;
}
