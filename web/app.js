// Wires the page together and does nothing else: makes the parts, tells each what the others say.

import { Actions } from './actions.js';
import { ApiError, api } from './api.js';
import { ActionBar } from './components/action_bar.js';
import { dropZone } from './components/drop_zone.js';
import { attachMenu } from './components/menu.js';
import { speak, toast } from './components/messages.js';
import { Tree } from './components/tree.js';
import { UploadPanel } from './components/upload_panel.js';
import { Live } from './events.js';
import { bytes, count, visibleName } from './lib/format.js';
import { byId, show } from './lib/html.js';
import { Router, parse } from './router.js';
import { Places, THEMES, VaultStatus, currentTheme, setTheme } from './state.js';
import { fromChooser } from './upload/collect.js';
import { Intake } from './upload/intake.js';
import { UploadSession } from './upload/session.js';
import { detailsPanel, viewerOverlay } from './views/overlays.js';
import { PlaceView } from './views/place_view.js';
import { selected, selectedIds } from './views/selected.js';
import { drawer, nextRegion, statusBar, troubleBar } from './views/shell.js';

const SEARCH_REST_MS = 120;
/** What the action bar covers of the listing. */
const ACTION_BAR_PX = 64;

const router = new Router();
const places = new Places();
const status = new VaultStatus();
const actions = new Actions();
const session = new UploadSession();
const intake = new Intake({ session, places });
const live = new Live({ mayRest: () => session.found === 0 || session.finished });
const tree = new Tree({ box: byId('tree-box'), element: byId('tree'), places });
const view = new PlaceView({ router, places, addFiles, addFolder });
const panel = new UploadPanel(byId('upload-panel'), { session, intake, projects: () => (places.projects ?? []).map((project) => project.name) });
const placesDrawer = drawer();
const details = detailsPanel({ router, view });
viewerOverlay({ router, view });
const searchField = /** @type {HTMLInputElement} */ (byId('search-field'));

let packing = '';
/** @type {(() => void) | null} */
let takeDown = null;

function addFiles() {
  byId('choose-files').click();
}

function addFolder() {
  byId('choose-folder').click();
}

// ---- Actions

actions.suspended = () => document.querySelector('dialog[open]') !== null;
/** @param {import('./actions.js').Action} action */
const define = (action) => actions.add(action);
define({ id: 'search', label: 'Search', keys: ['/', 'Ctrl+F'], run: () => { searchField.focus(); searchField.select(); }, enabled: () => !byId('listing-view').hidden });
define({ id: 'add-files', label: 'Add files', keys: ['Ctrl+O'], run: addFiles });
define({ id: 'add-folder', label: 'Add folder', run: addFolder });
define({ id: 'new-project', label: 'New project', run: () => { placesDrawer.open(); tree.name('home'); } });
define({ id: 'new-collection', label: 'New collection', keys: ['Alt+N'], enabled: () => view.place !== null || document.activeElement === byId('tree'), run: () => { placesDrawer.open(); tree.name(placeForNew()); } });
define({ id: 'up', label: 'One level up', keys: ['Alt+ArrowUp'], run: goUp });
define({ id: 'details', label: 'Details', keys: ['Alt+Enter'], run: () => details.toggle() });
define({ id: 'select-all', label: 'Select all', group: 'Selection', keys: ['Ctrl+A'], enabled: () => view.source.assets > 0 && !byId('listing-view').hidden, run: () => { view.selection.selectAll(); view.listing.selectionChanged(); } });
define({ id: 'clear-selection', label: 'Clear selection', group: 'Selection', keys: ['Escape'], enabled: () => !view.selection.empty, run: () => { view.selection.clear(); view.listing.selectionChanged(); view.listing.focus(); } });
define({ id: 'download-selection', label: 'Download ZIP', group: 'Selection', keys: ['Ctrl+S'], enabled: () => !view.selection.empty && packing === '', run: downloadSelection });
define({ id: 'download-place', label: 'Download all of this place as ZIP', enabled: () => view.zipAddress !== null, run: () => download(/** @type {string} */ (view.zipAddress)) });
define({ id: 'next-region', label: 'Next region', keys: ['F6'], whileTyping: true, run: () => nextRegion(1) });
define({ id: 'previous-region', label: 'Previous region', keys: ['Shift+F6'], whileTyping: true, run: () => nextRegion(-1) });
define({ id: 'shortcuts', label: 'Keys', keys: ['?'], run: async () => (await import('./components/shortcuts.js')).showShortcuts(byId('shortcuts'), actions) });
actions.listen();
actions.bind(byId('new-project'), 'new-project');
actions.bind(byId('toggle-details'), 'details');
actions.bind(byId('download-place'), 'download-place');
const actionBar = new ActionBar(byId('action-bar'), { actions });

const permanence = { hint: 'Archived for good: nothing here can be changed or removed.' };
attachMenu(byId('new-menu'), () => [
  { label: 'New project', icon: 'project', testid: 'menu-new-project', run: () => actions.run('new-project') },
  ...(view.place ? [{ label: 'New collection here', icon: 'collection', keys: ['Alt+N'], testid: 'menu-new-collection', run: () => { placesDrawer.open(); tree.name(hereKey()); } }] : []),
]);
attachMenu(byId('add-menu'), () => [
  { label: 'Add files', icon: 'upload', keys: ['Ctrl+O'], testid: 'menu-add-files', run: addFiles },
  { label: 'Add folder', icon: 'folder-up', testid: 'menu-add-folder', run: addFolder },
  'line', permanence,
]);
attachMenu(byId('more-menu'), () => [
  ...THEMES.map((theme) => ({ label: { system: 'As the system', light: 'Light', dark: 'Dark' }[theme] ?? theme, icon: { system: 'system', light: 'sun', dark: 'moon' }[theme], testid: `theme-${theme}`, checked: currentTheme() === theme, run: () => setTheme(theme) })),
  'line',
  { label: 'New project', icon: 'add', run: () => actions.run('new-project') },
  ...(view.place ? [{ label: 'New collection here', icon: 'collection', run: () => { placesDrawer.open(); tree.name(hereKey()); } }] : []),
  ...(view.zipAddress ? [{ label: 'Download all of this as ZIP', icon: 'zip', run: () => actions.run('download-place') }] : []),
  'line',
  { label: 'Uploads', icon: 'upload', testid: 'menu-uploads', run: () => router.go('uploads') },
  { label: 'Trust', icon: 'seal', testid: 'menu-trust', run: () => router.go('trust') },
  { label: 'Keys', icon: 'keyboard', keys: ['?'], run: () => actions.run('shortcuts') },
  { label: 'Sign out', icon: 'sign-out', testid: 'sign-out', run: signOut },
]);

function hereKey() {
  const { kind, id } = router.current;
  return kind === 'collection' ? `c/${id}` : kind === 'project' ? `p/${id}` : 'home';
}

function placeForNew() {
  return document.activeElement === byId('tree') ? tree.focused : hereKey();
}

function goUp() {
  const { path } = view;
  const parent = path.at(-2);
  if (router.current.kind === 'home') return;
  if (!parent) router.go('home');
  else router.go('project_id' in parent ? 'collection' : 'project', parent.id);
}

function signOut() {
  const form = document.createElement('form');
  form.method = 'post';
  form.action = '/sign-out';
  document.body.append(form);
  form.submit();
}

// ---- Downloads: a plain navigation, so that no byte passes through the page

/** @param {string} address */
function download(address) {
  const link = document.createElement('a');
  link.href = address;
  link.download = '';
  link.click();
  toast('Download started.');
}

async function downloadSelection() {
  const { n } = selected(view);
  const { q, types } = router.current;
  const everything = view.selection.whole && q === '' && types.length === 0 && view.source.folders.length === 0;
  if (everything) {
    download(/** @type {string} */ (view.zipAddress));
    return;
  }
  packing = 'Preparing the ZIP';
  drawSelection();
  try {
    const ids = await selectedIds(view, (read) => {
      packing = `Preparing the ZIP: ${count(read)} of ${count(n)}`;
      drawSelection();
    });
    const { url } = await api.ticket(ids);
    download(url);
  } catch (error) {
    view.failed(error);
  } finally {
    packing = '';
    drawSelection();
  }
}

function drawSelection() {
  const listed = !byId('listing-view').hidden;
  const { n, total, size } = selected(view);
  actionBar.draw({ n: listed ? n : 0, total, size, busy: packing });
  view.listing.padEnd(listed && n > 0 ? ACTION_BAR_PX : 0);
}
view.addEventListener('selection', drawSelection);
let spokenCount = 0;
view.addEventListener('selection', () => {
  const { n } = selected(view);
  if (n !== spokenCount && (n > 1 || spokenCount > 1)) speak(`${count(n)} selected`);
  spokenCount = n;
});

// ---- Search

/** @type {ReturnType<typeof setTimeout> | undefined} */
let searchTimer;
function search() {
  clearTimeout(searchTimer);
  const q = searchField.value.trim();
  if (q === router.current.q) return;
  // The first letters make an entry in the history, the following ones write over it.
  if (router.current.q === '') router.push({ q, details: 0 });
  else router.replace({ q });
}
searchField.addEventListener('input', () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(search, SEARCH_REST_MS);
});
byId('search').addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault();
  search();
  view.listing.focus();
});
searchField.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    event.preventDefault();
    if (searchField.value === '') {
      view.listing.focus();
      return;
    }
    searchField.value = '';
    search();
  } else if (event.key === 'ArrowDown') {
    event.preventDefault();
    search();
    view.listing.focus();
  }
});

// ---- Places and addresses

tree.addEventListener('go', (event) => {
  const { kind, id } = /** @type {CustomEvent} */ (event).detail;
  placesDrawer.close();
  router.go(kind, id);
});
tree.addEventListener('made', (event) => {
  const { kind, id } = /** @type {CustomEvent} */ (event).detail;
  placesDrawer.close();
  router.go(kind, id);
});

// Links to places stay links: another tab, another window and copying work; a plain click stays on the page.
document.addEventListener('click', (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest?.('a[href]');
  if (!(link instanceof HTMLAnchorElement) || link.hasAttribute('download') || link.target) return;
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const path = link.getAttribute('href') ?? '';
  if (!/^\/($|\?|p\/|c\/|uploads$|trust$)/.test(path)) return;
  event.preventDefault();
  if (path.includes('?')) {
    router.push({ ...parse(path), as: router.current.as });
    return;
  }
  const [, kind, id] = path.split('/');
  const kinds = /** @type {const} */ ({ '': 'home', p: 'project', c: 'collection', uploads: 'uploads', trust: 'trust' });
  router.go(kinds[/** @type {keyof typeof kinds} */ (kind)] ?? 'home', Number(id) || 0);
});

/** @param {import('./router.js').Route} route @param {Record<string, any>} memory @param {boolean} first */
function showRoute(route, memory, first) {
  const page = route.kind === 'uploads' || route.kind === 'trust';
  show(byId('listing-view'), !page);
  show(byId('page-view'), page);
  panel.hiddenByPage = route.kind === 'uploads';
  panel.draw();
  takeDown?.();
  takeDown = null;
  byId('page-view').replaceChildren();
  if (page) showPage(route.kind);
  if (document.activeElement !== searchField || route.q === '') searchField.value = route.q;
  if (page) {
    document.title = `${route.kind === 'trust' ? 'Trust' : 'Uploads'} · CompactVault`;
    tree.show('', []);
    show(byId('action-bar'), false);
    details.draw();
    return;
  }
  view.show(route, memory, first || shownPage);
  shownPage = false;
}
let shownPage = false;

/** Pages few visits see are loaded when they are asked for. @param {string} kind */
async function showPage(kind) {
  const root = byId('page-view');
  if (kind === 'trust') {
    const { trustView } = await import('./views/trust_view.js');
    if (router.current.kind === kind && !takeDown) takeDown = trustView(root, { status });
  } else {
    const { uploadsView } = await import('./views/uploads_view.js');
    if (router.current.kind === kind && !takeDown) takeDown = uploadsView(root, { session, addFiles });
  }
}

router.addEventListener('change', (event) => {
  const { route, previous, memory } = /** @type {CustomEvent} */ (event).detail;
  const wasPage = previous.kind === 'uploads' || previous.kind === 'trust';
  const isPage = route.kind === 'uploads' || route.kind === 'trust';
  if (wasPage && !isPage) shownPage = true;
  if (wasPage && isPage && previous.kind === route.kind) return;
  showRoute(route, memory, false);
  if (previous.kind !== route.kind || previous.id !== route.id) {
    const elsewhere = document.activeElement === document.body || byId('main').contains(document.activeElement) || document.activeElement === null;
    if (elsewhere && !isPage) view.listing.focus();
    placesDrawer.close();
  }
});

view.addEventListener('place', () => {
  const name = view.name;
  searchField.placeholder = view.route.kind === 'home' ? 'Search this vault' : `Search in ${visibleName(name)}`;
  searchField.setAttribute('aria-label', searchField.placeholder);
  byId('listing').setAttribute('aria-label', visibleName(name));
  document.title = `${visibleName(name)} · ${status.value?.vault.name.replace(/\.vault$/, '') ?? 'CompactVault'}`;
  tree.show(hereKey(), view.path.map((step) => ('project_id' in step ? `c/${step.id}` : `p/${step.id}`)));
});

// ---- Adding

/** @param {HTMLInputElement} input */
function chosen(input) {
  if (input.files && input.files.length > 0) intake.choose(addTarget(), fromChooser(input.files));
  input.value = '';
}
for (const id of ['choose-files', 'choose-folder']) byId(id).addEventListener('change', (/** @type {any} */ event) => chosen(event.target));

function addTarget() {
  return byId('listing-view').hidden ? /** @type {const} */ ({ kind: 'home' }) : view.target;
}

/** @param {Element} element */
function placeAt(element) {
  const key = /** @type {HTMLElement | null} */ (element.closest?.('[data-place]'))?.dataset.place;
  if (key && key !== 'home') {
    const [kind, text] = key.split('/');
    const id = Number(text);
    const place = kind === 'p' ? places.project(id) : places.collection(id);
    if (place && kind === 'p') return { key, name: place.name, target: { kind: 'project', id } };
    if (place) return { key, name: place.name, target: { kind: 'collection', id, projectId: /** @type {any} */ (place).project_id } };
  }
  const here = view.place && !byId('listing-view').hidden && key !== 'home';
  return here ? { key: hereKey(), name: view.name, target: view.target } : { key: 'home', name: status.value?.vault.name.replace(/\.vault$/, '') ?? 'this vault', target: { kind: 'home' } };
}
dropZone({ placeAt, hover: (key) => tree.hover(key), drop: (target, taken) => intake.drop(target, taken) });

intake.addEventListener('started', (event) => {
  const { target, projectId, first } = /** @type {CustomEvent} */ (event).detail;
  panel.rows.filter = '';
  // A drop that made its own place goes on there; one into the place shown stays.
  if (target.kind === 'home') {
    if (first) router.go('collection', first);
    else router.go('project', projectId);
  }
});
session.addEventListener('finished', () => status.refreshSoon());
addEventListener('beforeunload', (event) => {
  if (!session.unsent) return;
  event.preventDefault();
  event.returnValue = `Leave? ${bytes(session.unsentBytes)} have not been sent. What is queued will still be sealed.`;
});

// ---- Live

statusBar({ status, live, session });
troubleBar({ session, back: () => { view.again(); if (!status.value) status.load().catch(() => {}); if (!places.projects) places.loadProjects().catch(() => {}); } });
live.addEventListener('sealed', (event) => {
  const { places: ids } = /** @type {CustomEvent} */ (event).detail;
  places.touched(ids ?? null);
  view.touched(ids ?? null);
  status.refreshSoon();
});
live.addEventListener('upload', (event) => session.heard(/** @type {CustomEvent} */ (event).detail));
live.addEventListener('hello', (event) => {
  const { again, log_size: size } = /** @type {CustomEvent} */ (event).detail;
  session.recheckQueued();
  if (!again && status.value?.log.size === size) return;
  if (again && status.value?.log.size === size) return;
  places.touched(null);
  view.touched(null);
  status.refreshSoon();
});

// ---- Begin

status.load().catch((error) => {
  if (error instanceof ApiError && error.code === 'no_vault') location.replace('/vaults');
});
places.loadProjects().catch(() => {});
showRoute(router.current, router.memory, true);
live.open();
// Focus begins in the listing; the ring waits for the first key, so that a page just opened does not look touched.
byId('listing').dataset.quiet = '';
addEventListener('keydown', () => delete byId('listing').dataset.quiet, { once: true, capture: true });
view.listing.focus();
