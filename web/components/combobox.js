// Options below a field, one of them marked: what the palette and the search field have in common. The field keeps the focus.

import { set } from '../lib/html.js';

export class Combobox {
  /** @type {HTMLElement[]} */
  options = [];
  active = -1;

  /** @param {HTMLInputElement} field @param {HTMLElement} list */
  constructor(field, list) {
    this.field = field;
    this.list = list;
    set(field, { role: 'combobox', autocomplete: 'off', spellcheck: 'false', 'aria-autocomplete': 'list', 'aria-controls': list.id, expanded: false });
    // A click on an option must not take the focus first.
    set(list, { role: 'listbox', onmousedown: (event) => event.target !== list && event.preventDefault() });
  }

  /** The list has these options now, none of them marked; without any it is closed. */
  changed() {
    this.options = [...this.list.querySelectorAll('[role="option"]')];
    this.active = -1;
    set(this.field, { expanded: this.options.length > 0, activedescendant: null });
    for (const option of this.options) set(option, { selected: false });
  }

  /** @param {number} to around the ends */
  mark(to) {
    const { options, field, active } = this;
    if (options.length === 0) return;
    if (active >= 0) set(options[active], { selected: false });
    this.active = (to + options.length) % options.length;
    const marked = options[this.active];
    set(marked, { selected: true }).scrollIntoView({ block: 'nearest' });
    set(field, { activedescendant: marked.id });
  }
}
