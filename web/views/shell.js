// The frame around the views: vault name, status bar, the bar for trouble, the bar of the selection, the drawer of places, keys
// between regions, and files dragged over all of it.

import { connection } from '../api.js';
import { AWAY, byId, bytes, count, entries, h, hasFocus, icon, plural, set, setText, show, visibleName } from '../lib/html.js';
import { verdictOf } from '../lib/verdict.js';
import { isPage, parse } from '../router.js';
import { takeNow } from '../upload/collect.js';

/** @param {{status: import('../state.js').VaultStatus, live: import('../events.js').Live, session: import('../upload/session.js').UploadSession, verification: import('../state.js').Verifying}} parts */
export function statusBar({ status, live, session, verification }) {
  function drawStatus() {
    const { vault, log, logical_bytes: logical, file_bytes: file } = status.value;
    setText('vault-name', visibleName(status.name));
    setText('status-entries', entries(log.size));
    drawVerified();
    setText('status-sizes', `${bytes(logical)} archived, ${bytes(file)} on disk`);
    set('brand', { title: `${visibleName(vault.name)}: all projects` });
    set('status-trust', { title: 'Trust: what this vault vouches for' });
  }
  function drawVerified() {
    const { state, short } = verdictOf(status.value, verification.value, Date.now());
    set('status-trust', { 'data-state': state });
    setText('status-verified', short);
  }
  function drawLive() {
    set('status-live', { 'data-state': live.state });
    setText('status-live', live.state === 'down' ? 'not connected' : live.state);
  }
  function drawUploads() {
    const { found, finished, ended } = session;
    show('status-uploads', found > 0);
    setText('status-uploads', finished ? 'Uploads ended' : `Archiving ${plural(found - ended, 'file')}`);
  }
  verification.on('change', drawVerified);
  status.on('change', drawStatus);
  live.on('state', drawLive);
  session.on('change', drawUploads);
  drawLive();
}

/** Says when the server does not answer or the session ended, and takes it back. @param {{session: import('../upload/session.js').UploadSession, back: () => void}} parts */
export function troubleBar({ session, back }) {
  const bar = byId('trouble');
  let kind = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const words = {
    '': () => [],
    away: () => [icon('offline'), h('span', session.unsent
      ? AWAY
      : 'The server does not answer. This page goes on by itself when it does.')],
    // With uploads under way, leaving this page would end them: sign in beside it.
    'signed-out': () => [icon('warning'), h('span', 'You are signed out.'),
      h('a', { href: `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`, target: session.unsent ? '_blank' : null, rel: 'noopener' }, 'Sign in again')],
  };

  /** @param {keyof typeof words} next */
  function draw(next) {
    clearTimeout(timer);
    timer = undefined;
    if (next === kind) return;
    kind = next;
    show(bar, next !== '');
    bar.replaceChildren(...words[next]());
  }

  connection.on('trouble', ({ status }) => {
    if (status === 401) draw('signed-out');
    // One broken connection is no outage; the next answer would take the bar away at once.
    else timer ??= setTimeout(() => draw('away'), 800);
  });
  connection.on('answered', () => {
    const was = kind;
    draw('');
    if (was !== '') back();
  });
}

/** While something is sent the screen stays on, where the browser has a lock for that. @param {import('../upload/session.js').UploadSession} session */
export function keepAwake(session) {
  if (!navigator.wakeLock) return;
  /** @type {WakeLockSentinel | null} */
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
    lock = await navigator.wakeLock.request('screen').catch(() => null);
    // Without one there is nothing to ask for again with each part.
    asking = lock === null;
  }
  session.on('change', draw);
  set(document, { onvisibilitychange: draw });
}

/** The tree as a drawer where there is no room beside the listing. */
export function drawer() {
  const nav = byId('places');
  const opener = byId('open-places');
  const narrow = matchMedia('(max-width: 1023px)');
  const isOpen = () => nav.classList.contains('open');
  const close = () => put(false);

  /** @param {boolean} open */
  function put(open) {
    const was = isOpen();
    nav.classList.toggle('open', open);
    show('places-scrim', open);
    set(opener, { expanded: open });
    byId('main').inert = open && narrow.matches;
    if (open && narrow.matches) byId('tree').focus({ preventScroll: true });
    else if (was && hasFocus(nav)) opener.focus();
  }
  set(opener, { tip: 'Places', onclick: () => put(!isOpen()) });
  set('places-scrim', { onclick: close });
  set(narrow, { onchange: close });
  set(nav, { onkeydown: ({ key, defaultPrevented }) => key === 'Escape' && narrow.matches && !defaultPrevented && close() });
  return { close, open: () => narrow.matches && put(true) };
}

/** Steps through the regions of the page. @param {number} by */
export function nextRegion(by) {
  /** @type {[region: string, stop: string][]} */
  const stops = [
    ['topbar', '#search-field'],
    ['places', '#tree'],
    ['main', isPage(parse(location.pathname)) ? '' : '#listing'],
    ['details', 'button, a'],
    ['action-bar', 'button'],
    ['upload-panel', 'button:not([hidden]), input'],
    ['status', '#status-trust'],
  ];
  const usable = stops.filter(([id]) => byId(id).checkVisibility({ visibilityProperty: true }));
  const at = usable.findIndex(([id]) => hasFocus(byId(id)));
  const [id, stop] = usable[(at + by + usable.length) % usable.length];
  (stop ? byId(id).querySelector(stop) : byId(id))?.focus();
}

/**
 * What can be done with what is selected; there only while something is.
 * @param {import('../actions.js').Actions} actions
 * @returns {(what: {n: number, total: number, size: number | null, busy: string}) => void} draws it; size is null where it is not known
 */
export function actionBar(actions) {
  const root = byId('action-bar');
  const label = h('span.count');
  /** @param {string} id of the action @param {...any} inside */
  const button = (id, ...inside) => {
    const made = h(`button.plain#${id}`, inside);
    actions.bind(made, id);
    return made;
  };
  const zip = button('download-selection', icon('zip'), h('span', 'Download ZIP'));
  const all = button('select-all', 'Select all');
  root.append(label, zip, button('copy-links', icon('copy'), h('span', 'Links')), all, button('clear-selection', icon('close')));
  return ({ n, total, size, busy }) => {
    show(root, n > 0);
    if (n === 0) return;
    setText(label, busy || `${count(n)} selected${size === null ? '' : ` · ${bytes(size)}`}`);
    root.dataset.count = n;
    show(all, n < total);
    zip.disabled = busy !== '';
  };
}

/**
 * Files dragged over the page: says where they would go, and hands over what is dropped. Everything but files is left alone.
 * @param {{placeAt: (element: Element) => {key: string, name: string, target: any}, hover: (key: string | null) => void,
 *   drop: (target: any, taken: ReturnType<typeof takeNow>) => void}} what placeAt: the place under the pointer, or the one shown
 */
export function dropZone({ placeAt, hover, drop }) {
  let depth = 0;

  /** @param {(event: any) => void} act */
  const withFiles = (act) => (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    act(event);
  };

  function end() {
    depth = 0;
    show('drop-overlay', false);
    hover(null);
  }

  set(window, {
    ondragenter: withFiles(() => {
      depth += 1;
      show('drop-overlay', true);
    }),
    ondragleave: withFiles(() => {
      depth -= 1;
      if (depth <= 0) end();
    }),
    ondragover: withFiles(({ dataTransfer, target }) => {
      dataTransfer.dropEffect = 'copy';
      const place = placeAt(target);
      setText('drop-target', visibleName(place.name));
      hover(target.closest?.('.place') ? place.key : null);
    }),
    ondrop: withFiles(({ dataTransfer, target }) => {
      end();
      drop(placeAt(target).target, takeNow(dataTransfer));
    }),
  });
}
