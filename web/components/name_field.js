// A field that names something new, in place. Enter creates; Esc and leaving the field cancel, because leaving must never
// make something permanent.

import { h, quoted } from '../lib/html.js';

let made = 0;

/**
 * @param {{label: string, create: (name: string) => Promise<void>, cancel?: () => void, value?: string}} how
 *   create rejects with the reason; cancel is missing where the field always stands there (an empty vault)
 */
export function nameField({ label, create, cancel, value = '' }) {
  made += 1;
  const input = h('input', {
    type: 'text', autocomplete: 'off', spellcheck: 'false', maxlength: '1024', label: label, placeholder: label,
    testid: 'name-field', 'aria-describedby': `name-hint-${made}`,
  });
  input.value = value;
  const hint = h('p.hint', { id: `name-hint-${made}` }, 'Names are permanent.');
  const problem = h('p.problem', { role: 'alert', testid: 'name-problem' });
  const element = h('div.name-field', input, hint, problem);
  let working = false;

  input.addEventListener('input', () => {
    const name = input.value.trim();
    hint.textContent = name ? `Names are permanent. Press Enter to create ${quoted(name)}.` : 'Names are permanent.';
    problem.textContent = '';
    input.removeAttribute('aria-invalid');
  });
  input.addEventListener('keydown', async (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return;
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      input.value = '';
      cancel?.();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const name = input.value.trim();
      if (!name || working) return;
      working = true;
      input.setAttribute('aria-busy', 'true');
      try {
        await create(name);
      } catch (error) {
        problem.textContent = error.message;
        input.setAttribute('aria-invalid', 'true');
        if (document.activeElement !== input) input.focus();
      } finally {
        working = false;
        input.removeAttribute('aria-busy');
      }
    }
  });
  input.addEventListener('blur', () => {
    if (!working) cancel?.();
  });
  return { element, input };
}
