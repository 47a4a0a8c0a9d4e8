// Wires the page together and does nothing else: makes the parts, tells each what the others say.

import { Actions } from './actions.js';
import { api } from './api.js';
import { attachMenu } from './components/menu.js';
import { copy, speak, toast } from './components/messages.js';
import { searchBox } from './components/search_box.js';
import { placesTree } from './components/tree.js';
import { uploadPanel } from './components/upload_panel.js';
import { eventStream } from './events.js';
import { PERMANENT, byId, bytes, count, drawIcons, h, hasFocus, isTyping, set, show, visibleName } from './lib/html.js';
import { Router, isPage, parse, placeKey, placeOf, samePlace } from './router.js';
import { Places, THEMES, VaultStatus, Verifying, currentTheme, setTheme } from './state.js';
import { fromChooser, pasted } from './upload/collect.js';
import { makeIntake } from './upload/intake.js';
import { UploadSession } from './upload/session.js';
import { detailsPanel, viewerOverlay } from './views/overlays.js';
import { placeView } from './views/place_view.js';
import { selectedOf } from './views/selected.js';
import { actionBar, drawer, dropZone, keepAwake, nextRegion, statusBar, troubleBar } from './views/shell.js';

/** What the action bar covers of the listing. */
const ACTION_BAR_PX = 64;

drawIcons();
const router = new Router();
const places = new Places();
const status = new VaultStatus();
const verification = new Verifying();
const actions = new Actions();
const session = new UploadSession();
const intake = makeIntake({ session, places });
const live = eventStream({ mayRest: () => session.found === 0 || session.finished });
const tree = placesTree(places, goTo);
const view = placeView({ router, places, addFiles, addFolder, isOwn: (id) => session.made.has(id) });
const { listing, selection, source } = view;
const selected = selectedOf(view);
const panel = uploadPanel({ session, intake, places, status });
const placesDrawer = drawer();
const details = detailsPanel({ router, view, selected });
viewerOverlay({ router, view });
const search = searchBox({ router, home: () => listing.focus() });

/** @type {Record<string, [label: string, icon: string]>} by theme */
const THEME_WORDS = { system: ['As the system', 'system'], light: ['Light', 'sun'], dark: ['Dark', 'moon'] };
/** Pages few visits see are loaded when they are asked for. */
const PAGES = {
  trust: { title: 'Trust', load: () => import('./views/trust_view.js') },
  uploads: { title: 'Uploads', load: () => import('./views/uploads_view.js') },
};

let packing = '';
/** Ends the page that is shown. */
let leaving = new AbortController();
let spokenCount = 0;

function addFiles() {
  byId('choose-files').click();
}

function addFolder() {
  byId('choose-folder').click();
}

/** Is a listing shown, and not a page? */
function listed() {
  return !isPage(router.current);
}

// ---- Actions

actions.suspended = () => document.querySelector('dialog[open]') !== null;
actions.add(
  ['palette', 'Go to or do anything', async () => (await import('./components/palette.js')).openPalette({ actions, places, router }), { keys: ['Ctrl+K'], whileTyping: true }],
  ['search', 'Search', search.focus, { keys: ['/', 'Ctrl+F'], enabled: listed }],
  ['add-files', 'Add files', addFiles, { keys: ['Ctrl+O'], icon: 'upload' }],
  ['add-folder', 'Add folder', addFolder, { icon: 'folder-up' }],
  ['new-project', 'New project', () => nameNew('home'), { icon: 'add' }],
  ['new-collection', 'New collection', () => nameNew(tree.focused ?? placeKey(router.current)),
    { keys: ['Alt+N'], icon: 'add', enabled: () => view.place !== null || tree.focused !== null, why: () => 'Open a project first' }],
  ['up', 'One level up', goUp, { keys: ['Alt+ArrowUp'] }],
  ['toggle-details', 'Details', () => details.toggle(), { keys: ['Alt+Enter'], icon: 'info', enabled: listed }],
  ['select-all', 'Select all', () => listing.selectAll(), { group: 'Selection', keys: ['Ctrl+A'], enabled: () => source.assets > 0 && listed() }],
  ['clear-selection', 'Clear selection', clearSelection, { group: 'Selection', keys: ['Escape'], enabled: selecting }],
  ['download-selection', 'Download ZIP', downloadSelection, { group: 'Selection', keys: ['Ctrl+S'], icon: 'zip', enabled: () => selecting() && packing === '' }],
  ['copy-links', 'Copy links', copyLinks, { group: 'Selection', keys: ['Ctrl+C'], icon: 'copy', enabled: () => selecting() && listed() && getSelection().isCollapsed }],
  ['download-place', 'Download all of this place as ZIP', () => download(view.zipAddress), { icon: 'zip', enabled: () => view.zipAddress !== null }],
  ['as-grid', 'Show as grid', () => view.layout('grid'), { icon: 'grid', enabled: listed }],
  ['as-list', 'Show as list', () => view.layout('list'), { icon: 'list', enabled: listed }],
  ['home', 'All projects', () => router.go('home'), { icon: 'project' }],
  ['uploads', 'Uploads', () => router.go('uploads'), { icon: 'upload' }],
  ['trust', 'Trust', () => router.go('trust'), { icon: 'seal' }],
  ['verify', 'Verify every byte now', verify, { icon: 'seal', enabled: () => verification.value?.state !== 'running', why: () => 'It is running' }],
  ...THEMES.map((theme) => [`theme-${theme}`, `Colours: ${THEME_WORDS[theme][0].toLowerCase()}`, () => setTheme(theme), { icon: THEME_WORDS[theme][1] }]),
  ['next-region', 'Next region', () => nextRegion(1), { keys: ['F6'], whileTyping: true }],
  ['previous-region', 'Previous region', () => nextRegion(-1), { keys: ['Shift+F6'], whileTyping: true }],
  ['shortcuts', 'Keys', async () => (await import('./components/shortcuts.js')).showShortcuts(actions), { keys: ['?'], icon: 'keyboard' }],
  ['sign-out', 'Sign out', signOut, { icon: 'sign-out' }],
);
actions.listen();
for (const id of ['new-project', 'toggle-details', 'download-place', 'as-grid', 'as-list']) actions.bind(byId(id), id);
const drawActionBar = actionBar(actions);

/** @param {Record<string, any>} [how] */
const collectionHere = (how) => view.place && actions.item('new-collection', { label: 'New collection here', icon: 'collection', ...how });
attachMenu('new-menu', 'New', () => [actions.item('new-project', { icon: 'project' }), collectionHere()]);
attachMenu('add-menu', 'Add files', () => [
  actions.item('add-files'), actions.item('add-folder'),
  'line', { hint: PERMANENT },
]);
attachMenu('more-menu', 'More', () => [
  ...THEMES.map((theme) => actions.item(`theme-${theme}`, { label: THEME_WORDS[theme][0], id: `theme-${theme}`, checked: currentTheme() === theme })),
  'line',
  actions.item('new-project'), collectionHere({ keys: null }),
  view.zipAddress && actions.item('download-place', { label: 'Download all of this as ZIP' }),
  'line',
  actions.item('uploads', { id: 'menu-uploads' }), actions.item('trust'), actions.item('shortcuts'), actions.item('sign-out', { id: 'sign-out' }),
]);

function selecting() {
  return !selection.empty;
}

function clearSelection() {
  listing.clearSelection();
  listing.focus();
}

function verify() {
  router.go('trust');
  verification.start();
}

/** @param {string} key of the place to name something new in */
function nameNew(key) {
  placesDrawer.open();
  tree.name(key);
}

function goUp() {
  const parent = view.path.at(-2);
  if (parent) router.goTo(parent);
  else if (router.current.kind !== 'home') router.go('home');
}

function signOut() {
  const form = h('form', { method: 'post', action: '/sign-out' });
  document.body.append(form);
  form.submit();
}

// ---- Downloads: a plain navigation, so that no byte passes through the page

/** @param {string} address */
function download(address) {
  h('a', { href: address, download: true }).click();
  toast('Download started.');
}

/** The rule goes to the server, which turns it into a ticket; no list of ids is made here. */
async function downloadSelection() {
  const { kind, q, types } = router.current;
  if (selection.whole && q === '' && types.length === 0 && source.folders.length === 0 && kind !== 'home') {
    download(view.zipAddress);
    return;
  }
  packing = 'Preparing the ZIP';
  drawSelection();
  await api.ticket(selected.rule()).then(({ url }) => download(url), (error) => view.failed(error));
  packing = '';
  drawSelection();
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
  const { total, size } = selected;
  const n = listed() ? selected.n : 0;
  drawActionBar({ n, total, size, busy: packing });
  listing.padEnd(n > 0 ? ACTION_BAR_PX : 0);
}
selected.on('change', drawSelection);
view.on('selection', () => {
  selected.changed();
  drawSelection();
  const { n } = selected;
  if (n !== spokenCount && (n > 1 || spokenCount > 1)) speak(`${count(n)} selected`);
  spokenCount = n;
});

// ---- Places and addresses

/** @param {{kind: any, id: number}} place */
function goTo({ kind, id }) {
  placesDrawer.close();
  router.go(kind, id);
}

// Links to places stay links: another tab, another window and copying work; a plain click stays on the page.
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]:not([download], [target])');
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const path = link.getAttribute('href');
  if (!/^\/($|\?|p\/|c\/|uploads$|trust$)/.test(path)) return;
  event.preventDefault();
  const route = parse(path);
  if (path.includes('?')) router.push({ ...route, as: router.current.as });
  else router.go(route.kind, route.id);
});

/** @param {import('./router.js').Route} route @param {Record<string, any>} memory @param {boolean} fresh nothing of a listing is shown yet */
function showRoute(route, memory, fresh) {
  const page = PAGES[route.kind];
  show('listing-view', !page);
  show('page-view', Boolean(page));
  panel.hideForPage(route.kind === 'uploads');
  leaving.abort();
  leaving = new AbortController();
  byId('page-view').replaceChildren();
  search.draw(route, memory, visibleName(view.name));
  if (!page) {
    view.show(route, memory, fresh);
    return;
  }
  openPage(page);
  document.title = `${page.title} · CompactVault`;
  tree.show('', []);
  show('action-bar', false);
  details.draw();
}

/** @param {PAGES[keyof PAGES]} page */
async function openPage(page) {
  const { signal } = leaving;
  const { open } = await page.load();
  if (!signal.aborted) open(byId('page-view'), { status, verification, session, addFiles, signal });
}

router.on('change', ({ route, previous, memory }) => {
  if (isPage(previous) && previous.kind === route.kind) return;
  showRoute(route, memory, isPage(previous));
  if (samePlace(previous, route)) return;
  if (listed() && (document.activeElement === document.body || hasFocus(byId('main')))) listing.focus();
  placesDrawer.close();
});

view.on('place', () => {
  const name = visibleName(view.name);
  search.draw(router.current, router.memory, name);
  set('listing', { label: name });
  document.title = `${name} · ${status.name || 'CompactVault'}`;
  tree.show(placeKey(router.current), view.path.map((step) => placeKey(placeOf(step))));
});

// ---- Adding

for (const id of ['choose-files', 'choose-folder']) {
  set(id, {
    onchange({ target: input }) {
      if (input.files.length > 0) intake.choose(addTarget(), fromChooser(input.files));
      input.value = '';
    },
  });
}

function addTarget() {
  return listed() ? view.target : { kind: 'home' };
}

/** The place that an element stands for, else the one shown. @param {Element} element */
function placeAt(element) {
  const key = element.closest?.('[data-place]')?.dataset.place;
  const { kind, id } = parse(`/${key}`);
  const place = places.get({ kind, id });
  if (place) return { key, name: place.name, target: { kind, id, projectId: place.project_id } };
  if (view.place && listed() && key !== 'home') return { key: placeKey(router.current), name: view.name, target: view.target };
  return { key: 'home', name: status.name || 'this vault', target: { kind: 'home' } };
}
document.addEventListener('paste', (event) => {
  if (!event.clipboardData?.files.length || isTyping(event.target) || actions.suspended()) return;
  event.preventDefault();
  intake.drop(addTarget(), pasted(event.clipboardData));
});
dropZone({ placeAt, hover: tree.hover, drop: (target, taken) => intake.drop(target, taken) });

intake.on('started', ({ target, projectId, first }) => {
  // A drop that made its own place goes on there; one into the place shown stays.
  if (target.kind !== 'home') return;
  if (first) router.go('collection', first);
  else router.go('project', projectId);
});
session.on('finished', status.refreshSoon);
addEventListener('beforeunload', (event) => {
  if (!session.unsent) return;
  event.preventDefault();
  event.returnValue = `Leave? ${bytes(session.unsentBytes)} have not been sent. What is queued will still be sealed.`;
});

// ---- Live

statusBar({ status, live, session, verification });
troubleBar({
  session,
  back() {
    view.again();
    if (!status.value) status.load().catch(() => {});
    if (!places.projects) places.loadProjects().catch(() => {});
  },
});
/** @param {number[] | null} ids of places in which something was sealed, null for any */
function touched(ids) {
  places.touched(ids);
  view.touched(ids);
  status.refreshSoon();
}
live.on('sealed', ({ places: ids }) => touched(ids ?? null));
live.on('verification', (run) => verification.heard(run));
verification.on('ended', status.refreshSoon);
live.on('upload', (upload) => session.heard(upload));
live.on('hello', ({ log_size: size }) => {
  session.recheckQueued();
  verification.load().catch(() => {});
  // What was asked for a moment ago is as young as this.
  if (size !== (status.value?.log.size ?? source.page?.log_size ?? size)) touched(null);
});

// ---- Begin

status.load().catch(({ code }) => code === 'no_vault' && location.replace('/vaults'));
places.loadProjects().catch(() => {});
showRoute(router.current, router.memory, true);
live.open();
intake.offerLeft();
keepAwake(session);
// Focus begins in the listing; the ring waits for the first key, so that a page just opened does not look touched.
byId('listing').dataset.quiet = '';
addEventListener('keydown', () => delete byId('listing').dataset.quiet, { once: true, capture: true });
listing.focus();
