// A field that names something new, in place. Enter creates; Esc and leaving the field cancel, because leaving must never
// make something permanent.

import { h, problem, quoted, set, textField } from '../lib/html.js';

const PERMANENT = 'Names are permanent.';
let made = 0;

/**
 * @param {{label: string, create: (name: string) => Promise<void>, cancel?: () => void}} how
 *   create rejects with the reason; cancel is missing where the field always stands there (an empty vault)
 */
export function nameField({ label, create, cancel }) {
  made += 1;
  const id = `name-hint-${made}`;
  const input = textField({
    maxlength: 1024, label, placeholder: label, 'aria-describedby': id, onkeydown: onKey,
    oninput() {
      const name = input.value.trim();
      hint.textContent = name ? `${PERMANENT} Press Enter to create ${quoted(name)}.` : PERMANENT;
      failed.textContent = '';
      set(input, { invalid: null });
    },
    onblur: () => working || cancel?.(),
  });
  const hint = h('p.hint', { id }, PERMANENT);
  const failed = problem();
  let working = false;

  /** @param {KeyboardEvent} event */
  async function onKey(event) {
    if (event.isComposing || !['Escape', 'Enter'].includes(event.key)) return;
    event.preventDefault();
    if (event.key === 'Escape') {
      event.stopPropagation();
      input.value = '';
      cancel?.();
      return;
    }
    const name = input.value.trim();
    if (!name || working) return;
    working = true;
    set(input, { busy: true });
    try {
      await create(name);
    } catch (error) {
      failed.textContent = error.message;
      set(input, { invalid: true });
      input.focus();
    }
    working = false;
    set(input, { busy: null });
  }

  return { element: h('div.name-field', input, hint, failed), input };
}
