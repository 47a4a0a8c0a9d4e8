// The sign-in page: where to go afterwards, showing the password, and a word where the connection is open to readers.

const field = document.getElementById('password');
const reveal = document.getElementById('reveal');
const here = new URL(location.href);
const asked = here.pathname === '/sign-in' ? here.searchParams.get('next') ?? '/' : here.pathname + here.search;
const next = /^\/(?![/\\])/.test(asked) ? asked : '/';

/** @type {HTMLInputElement} */ (document.getElementById('next')).value = next;
// The answer to a wrong password is a page at this address, and knows by it where to go after the right one.
/** @type {HTMLFormElement} */ (field.form).action = `/sign-in?next=${encodeURIComponent(next)}`;
/** @type {HTMLElement} */ (document.getElementById('host')).textContent = location.host;
/** @type {HTMLElement} */ (document.getElementById('plain-http')).hidden = isSecureContext;

reveal.hidden = false;
reveal.addEventListener('click', () => {
  const shown = field.type === 'password';
  field.type = shown ? 'text' : 'password';
  reveal.setAttribute('aria-pressed', String(shown));
  reveal.textContent = shown ? 'Hide' : 'Show';
  field.focus();
});
