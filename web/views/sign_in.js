// The sign-in page: where to go afterwards, showing the password, and a word where the connection is open to readers.

const field = /** @type {HTMLInputElement} */ (document.getElementById('password'));
const reveal = /** @type {HTMLButtonElement} */ (document.getElementById('reveal'));
const here = new URL(location.href);
const next = here.pathname === '/sign-in' ? here.searchParams.get('next') ?? '/' : here.pathname + here.search;

/** @type {HTMLInputElement} */ (document.getElementById('next')).value = /^\/(?![/\\])/.test(next) ? next : '/';
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
