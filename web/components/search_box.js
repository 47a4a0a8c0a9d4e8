// The search field: searches as one types, explains what can be asked for, and says where it looks. The server reads the
// query; the list here only helps writing it.

import { speak } from './messages.js';
import { byId, h, show } from '../lib/html.js';

const REST_MS = 120;

/** Every line runs as it stands. @type {[example: string, meaning: string][]} */
export const EXAMPLES = [
  ['type:image', 'Pictures; also video, audio, text, 3d, binary'],
  ['ext:png', 'Names that end in .png'],
  ['size:>10mb', 'Larger than 10 MB; also size:1kb..2mb'],
  ['before:2024-01-01', 'Added before that day; also after: and added:'],
  ['modified:2024-05', 'Last changed in May 2024; also modified:>2024'],
  ['in:"Project/Collection"', 'Only that place and what lies below it'],
  ['is:versioned', 'What has more than one version'],
  ['width:>4000', 'Pictures wider than that; also height:'],
  ['camera:"x-t4"', 'Taken with that camera; also lens:, taken:'],
  ['artist:bach', 'Music by its tags; also album:, title:, duration:<60'],
  ['pages:>100', 'Documents of more than a hundred pages'],
  ['sha256:9f86d081', 'By the beginning of the hash'],
  ['"two words"', 'These words side by side in the name'],
  ['-draft', 'Names without that word'],
];

/** @type {Record<string, string[]>} */
const VALUES = {
  type: ['image', 'video', 'audio', 'text', '3d', 'binary'],
  is: ['versioned'],
  size: ['>10mb', '<100kb', '1mb..10mb'],
};

/**
 * @param {{router: import('../router.js').Router, home: () => void}} parts home: back to the listing
 */
export function searchBox({ router, home }) {
  const field = /** @type {HTMLInputElement} */ (byId('search-field'));
  const list = byId('search-list');
  const scope = byId('scope');
  /** @type {HTMLElement[]} */
  let options = [];
  let active = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function search() {
    clearTimeout(timer);
    const q = field.value.trim();
    if (q === '?' || q === ':' || q === router.current.q) return;
    // The first letters make an entry in the history, the following ones write over it.
    if (router.current.q === '') router.push({ q, details: 0 }, { from: router.memory.from });
    else router.replace({ q });
  }

  // ---- The list of examples

  /** What the end of the text asks for: everything, or the values of one key. */
  function wanted() {
    const text = field.value.slice(0, field.selectionStart ?? field.value.length);
    const token = /(?:^|\s)(\?|-?([\w]*):)$/.exec(text);
    if (!token) return null;
    const key = token[2] ?? '';
    const examples = key === '' ? EXAMPLES : [...(VALUES[key] ?? []).map((value) => /** @type {[string, string]} */ ([`${key}:${value}`, ''])),
      ...EXAMPLES.filter(([example]) => example.startsWith(`${key}:`) && !(VALUES[key] ?? []).includes(example.slice(key.length + 1)))];
    return examples.length > 0 ? { examples, from: text.length - token[1].length, to: text.length } : null;
  }

  function drawList() {
    const asked = wanted();
    active = -1;
    field.removeAttribute('aria-activedescendant');
    field.setAttribute('aria-expanded', String(asked !== null));
    show(list, asked !== null);
    if (!asked) return;
    options = asked.examples.map(([example, meaning], i) => h('div', {
      role: 'option', id: `search-option-${i}`, 'aria-selected': 'false', testid: 'search-example', 'data-example': example,
      onmousedown: (/** @type {Event} */ event) => event.preventDefault(), onclick: () => choose(i),
    }, h('code', example), h('span', meaning)));
    list.replaceChildren(...options);
    speak(`${options.length} examples`);
  }

  /** @param {number} to */
  function mark(to) {
    options[active]?.setAttribute('aria-selected', 'false');
    active = (to + options.length) % options.length;
    options[active].setAttribute('aria-selected', 'true');
    options[active].scrollIntoView({ block: 'nearest' });
    field.setAttribute('aria-activedescendant', options[active].id);
  }

  /** @param {number} i */
  function choose(i) {
    const asked = wanted();
    if (!asked) return;
    const [example] = asked.examples[i];
    field.value = `${field.value.slice(0, asked.from)}${example}${field.value.slice(asked.to)}`;
    field.focus();
    // The value waits to be written over by the person's own.
    const value = asked.from + example.indexOf(':') + 1;
    field.setSelectionRange(value, asked.from + example.length);
    closeList();
    search();
  }

  function closeList() {
    show(list, false);
    active = -1;
    field.setAttribute('aria-expanded', 'false');
    field.removeAttribute('aria-activedescendant');
  }

  field.addEventListener('input', () => {
    drawList();
    clearTimeout(timer);
    timer = setTimeout(search, REST_MS);
  });
  field.addEventListener('blur', closeList);
  byId('search').addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!list.hidden && active >= 0) {
      choose(active);
      return;
    }
    search();
    if (list.hidden) home();
  });
  field.addEventListener('keydown', (event) => {
    const open = !list.hidden;
    if (event.key === 'Escape') {
      event.preventDefault();
      if (open) closeList();
      else if (field.value === '') home();
      else {
        field.value = '';
        search();
      }
    } else if (event.key === 'ArrowDown' || (open && event.key === 'ArrowUp')) {
      event.preventDefault();
      if (open) mark(active + (event.key === 'ArrowDown' ? 1 : active < 0 ? 0 : -1));
      else {
        search();
        home();
      }
    }
  });
  byId('search-help').addEventListener('click', () => {
    field.focus();
    if (!/(^|\s)\?$/.test(field.value)) field.value = field.value ? `${field.value} ?` : '?';
    drawList();
  });

  // ---- Here or the whole vault

  for (const button of scope.querySelectorAll('button')) {
    button.addEventListener('mousedown', (event) => event.preventDefault());
    button.addEventListener('click', () => {
      const { kind, id } = router.current;
      const q = field.value.trim();
      const { from } = router.memory;
      if (button.dataset.scope === 'vault' && kind !== 'home') router.push({ kind: 'home', id: 0, q, details: 0 }, { from: { kind, id } });
      if (button.dataset.scope === 'here' && kind === 'home' && from) router.push({ kind: from.kind, id: from.id, q, details: 0 });
    });
  }

  return {
    focus() {
      field.focus();
      field.select();
    },
    /** The address changed. @param {import('../router.js').Route} route @param {Record<string, any>} memory @param {string} name of the place */
    draw(route, memory, name) {
      if (document.activeElement !== field || route.q === '') field.value = route.q === '' && /^[?:]$/.test(field.value) ? field.value : route.q;
      const here = route.kind === 'project' || route.kind === 'collection';
      show(scope, here || (route.kind === 'home' && route.q !== '' && memory.from !== undefined));
      for (const button of scope.querySelectorAll('button')) button.setAttribute('aria-pressed', String((button.dataset.scope === 'here') === here));
      field.placeholder = here ? `Search in ${name}` : 'Search this vault';
      field.setAttribute('aria-label', field.placeholder);
    },
  };
}
