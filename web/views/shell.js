// The frame around the views: vault name, status bar, the bar for trouble, the drawer of places, keys between regions.

import { connection } from '../api.js';
import { bytes, plural, visibleName } from '../lib/format.js';
import { byId, h, icon, setText, show } from '../lib/html.js';
import { verdictOf } from '../lib/verdict.js';

const LIVE_WORDS = { connecting: 'connecting', live: 'live', down: 'not connected', resting: 'resting' };

/** @param {{status: import('../state.js').VaultStatus, live: import('../events.js').Live, session: import('../upload/session.js').UploadSession, verification: import('../state.js').Verifying}} parts */
export function statusBar({ status, live, session, verification }) {
  function drawStatus() {
    const now = status.value;
    if (!now) return;
    setText(byId('vault-name'), visibleName(now.vault.name.replace(/\.vault$/, '')));
    setText(byId('status-entries'), plural(now.log.size, 'entry', 'entries'));
    drawVerified();
    setText(byId('status-sizes'), `${bytes(now.logical_bytes)} archived, ${bytes(now.file_bytes)} on disk`);
    byId('brand').title = `${visibleName(now.vault.name)}: all projects`;
    byId('status-trust').title = 'Trust: what this vault vouches for';
  }
  function drawVerified() {
    const verdict = verdictOf(status.value, verification.value, Date.now());
    const link = byId('status-trust');
    link.dataset.state = verdict.state;
    setText(byId('status-verified'), verdict.short);
  }
  function drawLive() {
    const element = byId('status-live');
    element.dataset.state = live.state;
    setText(element, LIVE_WORDS[live.state]);
  }
  function drawUploads() {
    const pill = byId('status-uploads');
    show(pill, session.found > 0);
    if (session.found > 0) setText(pill, session.finished ? 'Uploads ended' : `Archiving ${plural(session.found - session.ended, 'file')}`);
  }
  verification.addEventListener('change', drawVerified);
  status.addEventListener('change', drawStatus);
  live.addEventListener('state', drawLive);
  session.addEventListener('change', drawUploads);
  drawLive();
}

/** Says when the server does not answer or the session ended, and takes it back. @param {{session: import('../upload/session.js').UploadSession, back: () => void}} parts */
export function troubleBar({ session, back }) {
  const bar = byId('trouble');
  let kind = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {string} next */
  function draw(next) {
    clearTimeout(timer);
    timer = undefined;
    if (next === kind) return;
    kind = next;
    show(bar, next !== '');
    if (next === 'away') {
      bar.replaceChildren(icon('offline'), h('span', session.unsent
        ? 'Waiting for the server. What was sent is safe; the rest continues by itself.'
        : 'The server does not answer. This page goes on by itself when it does.'));
    } else if (next === 'signed-out') {
      const here = encodeURIComponent(location.pathname + location.search);
      // With uploads under way, leaving this page would end them: sign in beside it.
      bar.replaceChildren(icon('warning'), h('span', 'You are signed out.'),
        h('a', { href: `/sign-in?next=${here}`, target: session.unsent ? '_blank' : null, rel: 'noopener' }, 'Sign in again'));
    }
  }

  connection.addEventListener('trouble', (event) => {
    const { status } = event.detail;
    if (status === 401) {
      draw('signed-out');
      return;
    }
    // One broken connection is no outage; the next answer would take the bar away at once.
    timer ??= setTimeout(() => draw('away'), 800);
  });
  connection.addEventListener('answered', () => {
    const was = kind;
    draw('');
    if (was !== '') back();
  });
}

/** While something is sent the screen stays on, where the browser has a lock for that. @param {import('../upload/session.js').UploadSession} session */
export function keepAwake(session) {
  /** @type {any} */
  let lock = null;
  let asking = false;
  async function draw() {
    const wanted = session.unsent && !session.paused && document.visibilityState === 'visible';
    if (wanted === (lock !== null && !lock.released) || asking) return;
    if (!wanted) {
      lock.release();
      lock = null;
      return;
    }
    asking = true;
    lock = await navigator.wakeLock?.request('screen').catch(() => null) ?? null;
    // Without one there is nothing to ask for again with each part.
    asking = lock === null;
  }
  session.addEventListener('change', draw);
  document.addEventListener('visibilitychange', draw);
}

/** The tree as a drawer where there is no room beside the listing. */
export function drawer() {
  const nav = byId('places');
  const scrim = byId('places-scrim');
  const opener = byId('open-places');
  const narrow = matchMedia('(max-width: 1023px)');

  /** @param {boolean} open */
  function set(open) {
    const was = nav.classList.contains('open');
    nav.classList.toggle('open', open);
    show(scrim, open);
    opener.setAttribute('aria-expanded', String(open));
    byId('main').inert = open && narrow.matches;
    if (open && narrow.matches) byId('tree').focus({ preventScroll: true });
    else if (was && nav.contains(document.activeElement)) opener.focus();
  }
  opener.addEventListener('click', () => set(!nav.classList.contains('open')));
  scrim.addEventListener('click', () => set(false));
  narrow.addEventListener('change', () => set(false));
  nav.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && narrow.matches && !event.defaultPrevented) set(false);
  });
  opener.setAttribute('aria-label', 'Places');
  opener.title = 'Places';
  return {
    close: () => set(false),
    open: () => narrow.matches && set(true),
  };
}

/** Steps through the regions of the page. @param {number} by */
export function nextRegion(by) {
  const stops = [
    ['topbar', () => byId('search-field')],
    ['places', () => byId('tree')],
    ['main', () => (byId('listing-view').hidden ? byId('main') : byId('listing'))],
    ['details', () => byId('details').querySelector('button, a')],
    ['action-bar', () => byId('action-bar').querySelector('button')],
    ['upload-panel', () => byId('upload-panel').querySelector('button:not([hidden]), input')],
    ['status', () => byId('status-trust')],
  ];
  const usable = stops.filter(([id]) => byId(String(id)).checkVisibility?.({ visibilityProperty: true }) ?? true);
  const at = usable.findIndex(([id]) => byId(String(id)).contains(document.activeElement));
  const [, find] = usable[(at + by + usable.length) % usable.length];
  /** @type {() => HTMLElement | null} */ (find)()?.focus();
}
