// Every screen of the page, each shown as a person would come to it. One list for those who look at the pictures and for those
// who hold the screens against rules.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { filesOfKind } from './packages.js';
import { run, temporaryFolder } from './server.js';

/**
 * @typedef {{archive: import('./page.js').ArchivePage, page: import('playwright-core').Page, places: Map<string, any>, origin: string,
 *   phone: boolean, name: string}} Stage name: of the theme or device, and of a collection below Travel
 * @typedef {{name: string, show: (stage: Stage) => Promise<void>, leave?: (stage: Stage) => Promise<void>, wide?: boolean}} Screen wide:
 *   there is no such screen on a telephone
 */

const escape = async (/** @type {Stage} */ { page }) => page.keyboard.press('Escape');

const PICTURES = fileURLToPath(new URL('../../docs/screens/', import.meta.url));
/** Those whose pictures are kept; the others look much the same. */
const KEPT = ['light', 'dark', 'phone'];

/** Keeps a picture in docs/screens, with UPDATE_SCREENS=1. @param {import('playwright-core').Page} page @param {string} screen @param {string} stage */
export async function keepPicture(page, screen, stage) {
  if (!process.env.UPDATE_SCREENS || !KEPT.includes(stage)) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: path.join(PICTURES, `${screen}-${stage}.png`), animations: 'disabled', caret: 'hide' });
}

/** How they are looked at. */
export const STAGES = /** @type {const} */ ([
  { name: 'light', options: { colorScheme: 'light' } },
  { name: 'dark', options: { colorScheme: 'dark' } },
  { name: 'phone', options: { colorScheme: 'light', viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } },
  // 1,280 by 1,024 pixels at 400 %, as WCAG 2.2 (1.4.10) has it.
  { name: 'zoomed', options: { viewport: { width: 320, height: 256 } } },
  { name: 'forced-colours', options: { forcedColors: 'active' } },
]);

/** Kinds that are looked at in a way of their own, besides pictures: see `packages.js`. */
const VIEWED = ['sounds', 'videos', 'papers', 'markdown', 'tables', 'archives', 'models', 'scenes', 'fonts', 'texts'];

/** Archives a file of each kind below the place that the viewers are shown on. @param {{folder: string, state: string}} studio */
export function addKinds({ folder, state }) {
  const source = temporaryFolder('kinds');
  for (const kind of VIEWED) filesOfKind(kind, path.join(source, kind), { count: 1 });
  const done = run(['add', '--vault', path.join(folder, 'studio.vault'), '--to', 'Studio/Kinds', `${source}/.`], { folder, state });
  assert.equal(done.status, 0, done.stdout + done.stderr);
}

/** @type {Screen[]} */
export const SCREENS = [
  { name: 'projects', show: async (stage) => {
    await stage.archive.goto('/');
    await stage.archive.settled();
  } },
  { name: 'grid', show: async (stage) => {
    await collection(stage, 'Field notes/Spring', 'as=grid');
    if (!stage.phone) await stage.archive.assets.nth(2).click();
    await pictures(stage);
  } },
  { name: 'list', show: async (stage) => {
    await collection(stage, 'Field notes/Spring/Papers', 'as=list');
  } },
  { name: 'names', show: async (stage) => {
    await collection(stage, 'Field notes/Spring/Names', 'as=list');
  } },
  { name: 'selection', show: async (stage) => {
    await collection(stage, 'Field notes/Spring', 'as=grid');
    await stage.page.keyboard.press('Control+a');
    await stage.archive.actionBar.getByText(/selected ·/).waitFor();
    await pictures(stage);
  }, leave: escape },
  { name: 'search', show: async (stage) => {
    await stage.archive.goto('/?as=list&q=dun+type:image+size:>14kb');
    await stage.archive.settled();
    await stage.page.locator('#read [data-kind]').first().waitFor();
  } },
  { name: 'search-help', show: async (stage) => {
    await stage.archive.goto('/');
    await stage.page.getByTestId('search-field').fill('?');
    await stage.page.getByTestId('search-list').waitFor();
  }, leave: escape },
  { name: 'no-match', show: async (stage) => {
    await collection(stage, 'Studio/Posters', 'q=dunes+typ:image');
    await stage.page.getByTestId('no-match').waitFor();
  } },
  { name: 'empty', show: async (stage) => {
    await collection(stage, 'Travel/Empty');
    await stage.page.getByTestId('empty-add-files').waitFor();
  } },
  { name: 'not-found', show: async (stage) => {
    await stage.page.goto(`${stage.origin}/c/999999`);
    await stage.page.getByTestId('listing-retry').waitFor();
  } },
  { name: 'palette', show: async (stage) => {
    await stage.archive.goto('/');
    await stage.archive.settled();
    await stage.page.keyboard.press('Control+k');
    await stage.page.getByTestId('palette-field').fill('s');
    await stage.page.locator('[role="group"][aria-label="Assets"]').waitFor();
  }, leave: escape },
  { name: 'keys', show: async (stage) => {
    await stage.archive.goto('/');
    await stage.archive.settled();
    await stage.page.keyboard.press('?');
    await stage.page.locator('#shortcuts[open]').waitFor();
  }, leave: escape, wide: true },
  { name: 'menu', show: async (stage) => {
    await stage.page.getByTestId('more-menu').click();
    await stage.page.getByTestId('theme-system').waitFor();
  }, leave: escape },
  { name: 'places', show: async (stage) => {
    await stage.archive.goto('/');
    if (stage.phone) await stage.page.getByTestId('open-places').click();
    await stage.page.getByTestId('new-project').click();
    await stage.page.locator('.name-field input').last().fill('Textures');
  }, leave: escape },
  { name: 'viewer', show: async (stage) => {
    await collection(stage, 'Field notes/Spring', 'as=grid');
    const id = (await stage.archive.assetsOf(stage.places.get('Field notes/Spring').id)).find((/** @type {any} */ { type }) => type === 'image').id;
    await stage.page.goto(`${stage.origin}/c/${stage.places.get('Field notes/Spring').id}?v=${id}`);
    await stage.page.locator('dialog#viewer[open]').waitFor();
    await stage.page.waitForFunction(() => {
      const image = /** @type {HTMLImageElement | null} */ (document.querySelector('#viewer-image'));
      return image?.complete && image.naturalWidth > 0;
    });
  }, leave: escape },
  ...VIEWED.map((kind) => ({ name: `viewer-${kind}`, show: (/** @type {Stage} */ stage) => view(stage, kind), leave: escape })),
  { name: 'viewer-bytes', show: async (stage) => {
    await view(stage, 'texts');
    await stage.page.locator('dialog#viewer [data-mode="bytes"]').click();
    await stage.page.locator('#hex-content .line').first().waitFor();
  }, leave: escape },
  { name: 'offline', show: async (stage) => {
    await collection(stage, 'Field notes/Spring/Papers', 'as=list');
    await stage.page.context().setOffline(true);
    await stage.page.getByTestId('search-field').fill('dunes');
    await stage.page.locator('#trouble').getByText('does not answer').waitFor();
  }, leave: ({ page }) => page.context().setOffline(false) },
  { name: 'add', show: async (stage) => {
    await collection(stage, 'Travel/Empty');
    await stage.archive.drop(dropped());
    await stage.page.getByTestId('drop-start').waitFor();
  }, leave: async ({ page }) => page.getByTestId('drop-cancel').click() },
  { name: 'account', show: async (stage) => {
    await collection(stage, `Travel/${stage.name}`);
    await stage.archive.add(dropped());
    await stage.page.locator('#upload-summary[data-finished="true"]').waitFor();
    await stage.archive.settled();
  } },
  { name: 'uploads', show: async (stage) => {
    // By the menu: another page would begin without an account.
    await stage.page.getByTestId('more-menu').click();
    await stage.page.getByTestId('menu-uploads').click();
    await stage.page.getByTestId('uploads').waitFor();
  }, leave: async ({ page }) => page.getByTestId('uploads-close').click() },
  { name: 'trust', show: async (stage) => {
    await stage.page.goto(`${stage.origin}/trust`);
    await stage.page.getByTestId('checkpoint').getByText('compactvault/').waitFor();
    await stage.page.getByTestId('verify-now').click();
    await stage.page.getByTestId('verify-words').getByText(/Ended/).waitFor();
    await stage.page.getByTestId('compare').fill(String(await stage.page.getByTestId('checkpoint').textContent()));
    await stage.page.getByTestId('trust-verdict').getByText(/as sealed/).waitFor();
    await stage.page.locator('#page-view').evaluate((view) => view.scrollTo(0, 0));
  } },
];

/** @type {string | null} */
let folder = null;
/** A few files as a person would drop them, the same each time. */
function dropped() {
  folder ??= temporaryFolder('dropped');
  return Array.from({ length: 6 }, (_, i) => {
    const file = path.join(/** @type {string} */ (folder), `sketch ${i + 1}.txt`);
    writeFileSync(file, `sketch number ${i + 1}\n`.repeat(400 * (i + 1)));
    return file;
  });
}

/** @param {Stage} stage @param {string} place @param {string} [query] */
async function collection({ archive, places }, place, query = '') {
  await archive.goto(`/c/${places.get(place).id}${query ? `?${query}` : ''}`);
  await archive.settled();
}

/** Opens the file of a kind that is whole in the viewer. @param {Stage} stage @param {string} kind */
async function view({ archive, page, places, origin, phone }, kind) {
  const { id } = places.get(`Studio/Kinds/${kind}`);
  const asset = (await archive.assetsOf(id)).find((/** @type {any} */ { filename }) => !filename.startsWith('cut short'));
  await page.goto(`${origin}/c/${id}?v=${asset.id}`);
  await page.locator('dialog#viewer[data-state="shown"]').waitFor();
  // Chromium's viewer of PDF tells nobody when it has drawn.
  if (kind === 'papers' && process.env.UPDATE_SCREENS) await page.waitForTimeout(3000);
  if (['archives', 'tables', 'texts', ...(phone ? [] : ['markdown'])].includes(kind)) await page.locator('.viewer-content .line').first().waitFor();
}

/** Every thumbnail that is asked for is there. @param {Stage} stage */
async function pictures({ page, name }) {
  // Hardly a tile fits on that one.
  if (name === 'zoomed') return;
  await page.waitForFunction(() => {
    const images = /** @type {HTMLImageElement[]} */ ([...document.querySelectorAll('#listing img, #details img')]);
    const shown = images.filter((image) => image.getAttribute('src') && image.checkVisibility());
    return shown.length > 2 && shown.every((image) => image.complete && image.classList.contains('picture') === image.classList.contains('ready'));
  });
}
