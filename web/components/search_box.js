// The search field: searches as one types, explains what can be asked for, and says where it looks. The server reads the
// query; the list here only helps writing it.

import { TYPES, byId, h, set, show } from '../lib/html.js';
import { combobox } from './combobox.js';
import { speak } from './messages.js';

const REST_MS = 120;
const HELP = 'What can be searched for';

/** Every line runs as it stands. @type {[example: string, meaning: string][]} */
const EXAMPLES = [
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
  type: TYPES,
  is: ['versioned'],
  size: ['>10mb', '<100kb', '1mb..10mb'],
};

/**
 * @param {{router: import('../router.js').Router, home: () => void}} parts home: back to the listing
 */
export function searchBox({ router, home }) {
  const field = byId('search-field');
  const list = byId('search-list');
  const scope = byId('scope');
  const box = combobox(field, list);
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
    const text = field.value.slice(0, field.selectionStart ?? undefined);
    const [, token, key = ''] = /(?:^|\s)(\?|-?([\w]*):)$/.exec(text) ?? [];
    if (token === undefined) return null;
    const values = (VALUES[key] ?? []).map((value) => [`${key}:${value}`, '']);
    const examples = key === '' ? EXAMPLES : [...values, ...EXAMPLES.filter(([example]) => example.startsWith(`${key}:`) && !values.some(([value]) => value === example))];
    return examples.length > 0 ? { examples, from: text.length - token.length, to: text.length } : null;
  }

  function drawList(asked = wanted()) {
    show(list, asked !== null);
    list.replaceChildren(...(asked?.examples ?? []).map(([example, meaning], i) => h(`div#search-option-${i}`, {
      role: 'option', 'data-example': example, onclick: () => choose(i),
    }, h('code', example), h('span', meaning))));
    box.changed();
    if (asked) speak(`${asked.examples.length} examples`);
  }

  /** @param {number} i */
  function choose(i) {
    const asked = wanted();
    if (!asked) return;
    const { examples, from, to } = asked;
    const [example] = examples[i];
    field.focus();
    field.setRangeText(example, from, to);
    // The value waits to be written over by the person's own.
    field.setSelectionRange(from + example.indexOf(':') + 1, from + example.length);
    closeList();
    search();
  }

  function closeList() {
    drawList(null);
  }

  set(list, { label: HELP });
  set(field, {
    oninput() {
      drawList();
      clearTimeout(timer);
      timer = setTimeout(search, REST_MS);
    },
    onblur: closeList,
    onkeydown(event) {
      const open = !list.hidden;
      const down = event.key === 'ArrowDown';
      if (event.key === 'Escape') {
        if (open) closeList();
        else if (field.value === '') home();
        else {
          field.value = '';
          search();
        }
      } else if (open && (down || event.key === 'ArrowUp')) {
        box.mark(down ? box.active + 1 : Math.max(0, box.active) - 1);
      } else if (down) {
        search();
        home();
      } else return;
      event.preventDefault();
    },
  });
  set('search', {
    onsubmit(event) {
      event.preventDefault();
      if (box.active >= 0) choose(box.active);
      else {
        search();
        if (list.hidden) home();
      }
    },
  });
  set('search-help', {
    label: HELP,
    title: `${HELP} (?)`,
    onclick() {
      field.focus();
      if (!/(^|\s)\?$/.test(field.value)) field.value = `${field.value} ?`.trimStart();
      drawList();
    },
  });

  // ---- Here or the whole vault

  set(scope, {
    onmousedown: (event) => event.preventDefault(),
    onclick({ target }) {
      const { kind, id } = router.current;
      const { from } = router.memory;
      const how = { q: field.value.trim(), details: 0 };
      if (target.dataset.scope === 'vault' && kind !== 'home') router.push({ kind: 'home', id: 0, ...how }, { from: { kind, id } });
      if (target.dataset.scope === 'here' && kind === 'home' && from) router.push({ ...from, ...how });
    },
  });

  return {
    focus() {
      field.focus();
      field.select();
    },
    /** The address changed. @param {import('../router.js').Route} route @param {Record<string, any>} memory @param {string} name of the place */
    draw({ kind, q }, memory, name) {
      if (q === '' ? !/^[?:]$/.test(field.value) : document.activeElement !== field) field.value = q;
      const here = kind === 'project' || kind === 'collection';
      show(scope, here || (kind === 'home' && q !== '' && memory.from !== undefined));
      for (const button of scope.children) set(button, { pressed: (button.dataset.scope === 'here') === here });
      field.placeholder = here ? `Search in ${name}` : 'Search this vault';
      set(field, { label: field.placeholder });
    },
  };
}
