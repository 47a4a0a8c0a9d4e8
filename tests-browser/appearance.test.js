// The page in the dark and in the light, on real pictures: it has the colours it was asked for on the first frame, nothing
// scrolls sideways at any width, and the README gets its picture from here (UPDATE_SCREENSHOT=1).

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch, openPage } from './harness/browser.js';
import { findFiles } from './harness/corpus.js';
import { drawPictures } from './harness/drawings.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

const README_PICTURE = fileURLToPath(new URL('../docs/screenshot.png', import.meta.url));
const WIDTHS = [320, 360, 768, 1280, 1920];

describe('how it looks', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** @type {any} */
  let pictures;
  const shots = process.env.COMPACTVAULT_TEST_SCREENSHOTS ?? temporaryFolder('screenshots');

  before(async () => {
    browser = await launch();
    const source = temporaryFolder('pictures');
    let taken = Date.UTC(2024, 3, 2, 7, 40) / 1000;
    for (const [name, bytes] of await drawPictures(browser, 24)) {
      writeFileSync(path.join(source, name), bytes);
      taken += 97_531;
      utimesSync(path.join(source, name), taken, taken);
    }
    const papers = path.join(source, 'Papers');
    mkdirSync(papers);
    for (const file of findFiles((name) => /\.(txt|md|html|pm|py|copyright)$/.test(name), 30)) copyFileSync(file, path.join(papers, path.basename(file)));
    const served = temporaryFolder('served');
    const state = temporaryFolder('state');
    const vault = path.join(served, 'studio.vault');
    const add = (/** @type {string} */ to) => ['add', '--vault', vault, '--to', to, `${source}/.`];
    for (const words of [['init', vault], add('Field notes/Spring'), add('Field notes/Autumn'), add('Studio/Posters'), add('Travel/Coast')]) {
      const done = run(words, { folder: served, state });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    server = await startServer({ folder: served, state });
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
    pictures = (await archive.collections()).get('Field notes/Spring');
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    it(`is ${colorScheme} where the system is`, async () => {
      await opened.page.emulateMedia({ colorScheme });
      await showPictures();
      const luminance = await opened.page.evaluate(() => {
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        if (!canvas) throw new Error('no canvas');
        canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
        return (r + g + b) / 3;
      });
      assert.ok(colorScheme === 'dark' ? luminance < 60 : luminance > 200, `the ground has ${luminance} of 255`);
      const update = colorScheme === 'light' && process.env.UPDATE_SCREENSHOT;
      const file = update ? README_PICTURE : path.join(shots, `${colorScheme}.png`);
      await opened.page.screenshot({ path: file });
      assert.ok(statSync(file).size > 20_000, 'there is something to see');
    });
  }

  it('keeps a chosen theme over a reload, from the first frame on', async () => {
    await opened.page.emulateMedia({ colorScheme: 'light' });
    await opened.context.addCookies([{ name: 'cv-theme', value: 'dark', url: server.origin }]);
    const served = await opened.context.request.get(`${server.origin}/`);
    assert.match(await served.text(), /data-theme="dark"/, 'the server stamps it on the page');
    await archive.goto('/');
    assert.equal(await opened.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark');
    await opened.context.clearCookies({ name: 'cv-theme' });
  });

  it('never scrolls sideways', async () => {
    for (const width of WIDTHS) {
      await opened.page.setViewportSize({ width, height: 800 });
      await archive.openCollection(pictures.id, width % 3 === 0 ? 'grid' : 'list');
      await archive.settled();
      const wide = await opened.page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${wide} wide in a window of ${width}`);
    }
    await opened.page.setViewportSize({ width: 1280, height: 800 });
  });

  /** A listing of pictures with the details of one open, every thumbnail decoded. */
  async function showPictures() {
    await archive.openCollection(pictures.id, 'grid');
    await archive.assets.first().waitFor();
    await archive.assets.nth(2).click();
    if (await archive.details.isHidden()) await opened.page.getByTestId('toggle-details').click();
    await archive.details.getByTestId('details-sha256').waitFor();
    await opened.page.waitForFunction(() => {
      const images = [...document.querySelectorAll('#listing img, #details img')];
      const shown = images.filter((image) => image.getAttribute('src'));
      return shown.length > 5 && shown.every((image) => /** @type {HTMLImageElement} */ (image).complete);
    });
    await opened.page.waitForTimeout(300);
  }
});
