// Wires the page together and does nothing else: makes the parts, tells each what the others say.

import { Actions } from './actions.js';
import { ApiError, api } from './api.js';
import { actionBar } from './components/action_bar.js';
import { dropZone } from './components/drop_zone.js';
import { attachMenu } from './components/menu.js';
import { copy, speak, toast } from './components/messages.js';
import { searchBox } from './components/search_box.js';
import { Tree } from './components/tree.js';
import { UploadPanel } from './components/upload_panel.js';
import { Live } from './events.js';
import { bytes, count, visibleName } from './lib/format.js';
import { byId, drawIcons, isTyping, show } from './lib/html.js';
import { Router, parse } from './router.js';
import { Places, THEMES, VaultStatus, Verifying, currentTheme, setTheme } from './state.js';
import { fromChooser, pasted } from './upload/collect.js';
import { Intake } from './upload/intake.js';
import { UploadSession } from './upload/session.js';
import { detailsPanel, viewerOverlay } from './views/overlays.js';
import { PlaceView } from './views/place_view.js';
import { Selected } from './views/selected.js';
import { drawer, keepAwake, nextRegion, statusBar, troubleBar } from './views/shell.js';

/** What the action bar covers of the listing. */
const ACTION_BAR_PX = 64;

drawIcons();
const router = new Router();
const places = new Places();
const status = new VaultStatus();
const verification = new Verifying();
const actions = new Actions();
const session = new UploadSession();
const intake = new Intake({ session, places });
const live = new Live({ mayRest: () => session.found === 0 || session.finished });
const tree = new Tree({ box: byId('tree-box'), element: byId('tree'), places });
const view = new PlaceView({ router, places, addFiles, addFolder, isOwn: (id) => session.made.has(id) });
const selected = new Selected(view);
const panel = new UploadPanel(byId('upload-panel'), { session, intake, projects: () => (places.projects ?? []).map((project) => project.name), vaultName });
const placesDrawer = drawer();
const details = detailsPanel({ router, view, selected });
viewerOverlay({ router, view });
const search = searchBox({ router, home: () => view.listing.focus() });

/** @type {Record<string, string>} */
const THEME_LABELS = { system: 'As the system', light: 'Light', dark: 'Dark' };
/** @type {Record<string, string>} */
const THEME_ICONS = { system: 'system', light: 'sun', dark: 'moon' };

let packing = '';
/** @type {(() => void) | null} */
let takeDown = null;

function vaultName() {
  return status.value?.vault.name ?? '';
}

function addFiles() {
  byId('choose-files').click();
}

function addFolder() {
  byId('choose-folder').click();
}

async function goOrDo() {
  const { openPalette } = await import('./components/palette.js');
  openPalette(byId('palette'), { actions, places, router });
}

// ---- Actions

actions.suspended = () => document.querySelector('dialog[open]') !== null;
/** @param {import('./actions.js').Action} action */
const define = (action) => actions.add(action);
const listed = () => !byId('listing-view').hidden;
define({ id: 'palette', label: 'Go to or do anything', keys: ['Ctrl+K'], whileTyping: true, run: goOrDo });
define({ id: 'search', label: 'Search', keys: ['/', 'Ctrl+F'], run: search.focus, enabled: listed });
define({ id: 'add-files', label: 'Add files', keys: ['Ctrl+O'], icon: 'upload', run: addFiles });
define({ id: 'add-folder', label: 'Add folder', icon: 'folder-up', run: addFolder });
define({ id: 'new-project', label: 'New project', icon: 'add', run: () => { placesDrawer.open(); tree.name('home'); } });
define({ id: 'new-collection', label: 'New collection', keys: ['Alt+N'], icon: 'add', enabled: () => view.place !== null || document.activeElement === byId('tree'), why: () => 'Open a project first', run: () => { placesDrawer.open(); tree.name(placeForNew()); } });
define({ id: 'up', label: 'One level up', keys: ['Alt+ArrowUp'], run: goUp });
define({ id: 'details', label: 'Details', keys: ['Alt+Enter'], icon: 'info', enabled: listed, run: () => details.toggle() });
define({ id: 'select-all', label: 'Select all', group: 'Selection', keys: ['Ctrl+A'], enabled: () => view.source.assets > 0 && listed(), run: () => { view.selection.selectAll(); view.listing.selectionChanged(); } });
define({ id: 'clear-selection', label: 'Clear selection', group: 'Selection', keys: ['Escape'], enabled: () => !view.selection.empty, run: () => { view.selection.clear(); view.listing.selectionChanged(); view.listing.focus(); } });
define({ id: 'download-selection', label: 'Download ZIP', group: 'Selection', keys: ['Ctrl+S'], icon: 'zip', enabled: () => !view.selection.empty && packing === '', run: downloadSelection });
define({ id: 'copy-links', label: 'Copy links', group: 'Selection', keys: ['Ctrl+C'], icon: 'copy', enabled: () => !view.selection.empty && listed() && getSelection()?.isCollapsed !== false, run: copyLinks });
define({ id: 'download-place', label: 'Download all of this place as ZIP', icon: 'zip', enabled: () => view.zipAddress !== null, run: () => download(view.zipAddress) });
define({ id: 'as-grid', label: 'Show as grid', icon: 'grid', enabled: listed, run: () => view.layout('grid') });
define({ id: 'as-list', label: 'Show as list', icon: 'list', enabled: listed, run: () => view.layout('list') });
define({ id: 'home', label: 'All projects', icon: 'project', run: () => router.go('home') });
define({ id: 'uploads', label: 'Uploads', icon: 'upload', run: () => router.go('uploads') });
define({ id: 'trust', label: 'Trust', icon: 'seal', run: () => router.go('trust') });
define({ id: 'verify', label: 'Verify every byte now', icon: 'seal', enabled: () => verification.value?.state !== 'running', why: () => 'It is running', run: () => { router.go('trust'); verification.start('full'); } });
for (const theme of THEMES) define({ id: `theme-${theme}`, label: `Colours: ${THEME_LABELS[theme].toLowerCase()}`, icon: THEME_ICONS[theme], run: () => setTheme(theme) });
define({ id: 'next-region', label: 'Next region', keys: ['F6'], whileTyping: true, run: () => nextRegion(1) });
define({ id: 'previous-region', label: 'Previous region', keys: ['Shift+F6'], whileTyping: true, run: () => nextRegion(-1) });
define({ id: 'shortcuts', label: 'Keys', keys: ['?'], icon: 'keyboard', run: async () => (await import('./components/shortcuts.js')).showShortcuts(byId('shortcuts'), actions) });
define({ id: 'sign-out', label: 'Sign out', icon: 'sign-out', run: signOut });
actions.listen();
actions.bind(byId('new-project'), 'new-project');
actions.bind(byId('toggle-details'), 'details');
actions.bind(byId('download-place'), 'download-place');
const drawActionBar = actionBar(byId('action-bar'), { actions });

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
  ...THEMES.map((theme) => ({ label: THEME_LABELS[theme], icon: THEME_ICONS[theme], testid: `theme-${theme}`, checked: currentTheme() === theme, run: () => setTheme(theme) })),
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

/** The rule goes to the server, which turns it into a ticket; no list of ids is made here. */
async function downloadSelection() {
  const { kind, q, types } = router.current;
  if (view.selection.whole && q === '' && types.length === 0 && view.source.folders.length === 0 && kind !== 'home') {
    download(view.zipAddress);
    return;
  }
  packing = 'Preparing the ZIP';
  drawSelection();
  try {
    download((await api.ticket(selected.rule())).url);
  } catch (error) {
    view.failed(error);
  } finally {
    packing = '';
    drawSelection();
  }
}

async function copyLinks() {
  try {
    const links = await selected.links();
    if (links) await copy(links.join('\n'), links.length === 1 ? 'Link' : `${count(links.length)} links`);
    else toast('At most 1,000 links can be copied at once.');
  } catch (error) {
    view.failed(error);
  }
}

function drawSelection() {
  const listed = !byId('listing-view').hidden;
  const { n, total, size } = selected;
  drawActionBar({ n: listed ? n : 0, total, size, busy: packing });
  view.listing.padEnd(listed && n > 0 ? ACTION_BAR_PX : 0);
}
selected.addEventListener('change', drawSelection);
let spokenCount = 0;
view.addEventListener('selection', () => {
  selected.changed();
  drawSelection();
  const { n } = selected;
  if (n !== spokenCount && (n > 1 || spokenCount > 1)) speak(`${count(n)} selected`);
  spokenCount = n;
});

// ---- Places and addresses

tree.addEventListener('go', (event) => {
  const { kind, id } = event.detail;
  placesDrawer.close();
  router.go(kind, id);
});
tree.addEventListener('made', (event) => {
  const { kind, id } = event.detail;
  placesDrawer.close();
  router.go(kind, id);
});

// Links to places stay links: another tab, another window and copying work; a plain click stays on the page.
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
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
  router.go(kinds[kind] ?? 'home', Number(id) || 0);
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
  search.draw(route, memory, visibleName(view.name));
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
    if (router.current.kind === kind && !takeDown) takeDown = trustView(root, { status, verification });
  } else {
    const { uploadsView } = await import('./views/uploads_view.js');
    if (router.current.kind === kind && !takeDown) takeDown = uploadsView(root, { session, addFiles, vaultName });
  }
}

router.addEventListener('change', (event) => {
  const { route, previous, memory } = event.detail;
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
  search.draw(router.current, router.memory, visibleName(name));
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
for (const id of ['choose-files', 'choose-folder']) byId(id).addEventListener('change', (event) => chosen(event.target));

function addTarget() {
  return byId('listing-view').hidden ? /** @type {const} */ ({ kind: 'home' }) : view.target;
}

/** @param {Element} element */
function placeAt(element) {
  const key = element.closest?.('[data-place]')?.dataset.place;
  if (key && key !== 'home') {
    const [kind, text] = key.split('/');
    const id = Number(text);
    const place = kind === 'p' ? places.project(id) : places.collection(id);
    if (place && kind === 'p') return { key, name: place.name, target: { kind: 'project', id } };
    if (place) return { key, name: place.name, target: { kind: 'collection', id, projectId: place.project_id } };
  }
  const here = view.place && !byId('listing-view').hidden && key !== 'home';
  return here ? { key: hereKey(), name: view.name, target: view.target } : { key: 'home', name: status.value?.vault.name.replace(/\.vault$/, '') ?? 'this vault', target: { kind: 'home' } };
}
document.addEventListener('paste', (event) => {
  if (!event.clipboardData || event.clipboardData.files.length === 0 || isTyping(event.target) || document.querySelector('dialog[open]')) return;
  event.preventDefault();
  intake.drop(addTarget(), pasted(event.clipboardData));
});
dropZone({ placeAt, hover: (key) => tree.hover(key), drop: (target, taken) => intake.drop(target, taken) });

intake.addEventListener('started', (event) => {
  const { target, projectId, first } = event.detail;
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

statusBar({ status, live, session, verification });
troubleBar({ session, back: () => { view.again(); if (!status.value) status.load().catch(() => {}); if (!places.projects) places.loadProjects().catch(() => {}); } });
live.addEventListener('sealed', (event) => {
  const { places: ids } = event.detail;
  places.touched(ids ?? null);
  view.touched(ids ?? null);
  status.refreshSoon();
});
live.addEventListener('verification', (event) => verification.heard(event.detail));
verification.addEventListener('ended', () => status.refreshSoon());
live.addEventListener('upload', (event) => session.heard(event.detail));
live.addEventListener('hello', (event) => {
  const { log_size: size } = event.detail;
  session.recheckQueued();
  verification.load().catch(() => {});
  // What was asked for a moment ago is as young as this.
  if (size === (status.value?.log.size ?? view.source.page?.log_size ?? size)) return;
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
void intake.offerLeft();
keepAwake(session);
// Focus begins in the listing; the ring waits for the first key, so that a page just opened does not look touched.
byId('listing').dataset.quiet = '';
addEventListener('keydown', () => delete byId('listing').dataset.quiet, { once: true, capture: true });
view.listing.focus();
