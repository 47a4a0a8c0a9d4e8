// What is known of an asset without opening it: its small picture on a tile, and the details panel with everything that can
// be said and proved of it. Files from Debian packages, the real server, its real previews.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { download, launch, openPage } from './harness/browser.js';
import { filesOfKind } from './harness/packages.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

const TWICE = 'the same elsewhere.png';

describe('what is known of an asset', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {ArchivePage} */
  let archive;
  /** @type {Map<string, any>} */
  let collections;
  const source = temporaryFolder('samples');
  const folder = temporaryFolder('served');
  const state = temporaryFolder('state');
  const vault = path.join(folder, 'studio.vault');
  const pictures = filesOfKind('pictures', path.join(source, 'pictures'));
  filesOfKind('drawings', path.join(source, 'drawings'));
  filesOfKind('sounds', path.join(source, 'sounds'));
  filesOfKind('archives', path.join(source, 'archives'));
  const file = path.join(source, 'pictures', pictures.largest);

  before(async () => {
    mkdirSync(path.join(source, 'elsewhere'));
    copyFileSync(file, path.join(source, 'elsewhere', TWICE));
    const add = ['add', '--vault', vault, '--to', 'Samples/All', `${source}/.`];
    const again = path.join(source, 'pictures', pictures.names[1]);
    for (const words of [['init', vault], add]) {
      const done = run(words, { folder, state });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    // A second version of one of them.
    appendFileSync(again, '.');
    assert.equal(run(add, { folder, state }).status, 0);
    [browser, server] = await Promise.all([launch(), startServer({ folder, state })]);
    opened = await openPage(browser, server, { permissions: ['clipboard-read', 'clipboard-write'] });
    ({ page } = opened);
    archive = new ArchivePage(page, server.origin);
    collections = await archive.collections();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const id = (/** @type {string} */ name) => collections.get(`Samples/All/${name}`).id;
  const asset = async (/** @type {string} */ kind, /** @type {string} */ name) => (await archive.assetsOf(id(kind))).find(({ filename }) => filename === name);

  /** @param {string} kind @param {string} name */
  async function select(kind, name) {
    await archive.openCollection(id(kind));
    await archive.settled();
    await archive.entry(name).click();
    if (await archive.details.isHidden()) await page.getByTestId('toggle-details').click();
    await archive.details.getByTestId('details-name').getByText(name, { exact: true }).waitFor();
    await archive.details.getByText('CRC-32').waitFor();
  }

  it('shows small pictures on tiles, at most three on their way at once', async () => {
    opened.trouble.expect(/status of 404/);
    let running = 0;
    let most = 0;
    const isThumb = (/** @type {import('playwright-core').Request} */ request) => request.method() === 'GET' && request.url().includes('/thumbnail?');
    page.on('request', (request) => {
      if (isThumb(request)) most = Math.max(most, running += 1);
    });
    for (const end of /** @type {const} */ (['requestfinished', 'requestfailed'])) page.on(end, (request) => { if (isThumb(request)) running -= 1; });
    for (const kind of ['pictures', 'drawings', 'sounds']) {
      await archive.openCollection(id(kind), 'grid');
      await archive.settled();
      const expected = (await archive.assetsOf(id(kind))).filter(({ thumbnail, filename }) => thumbnail && !filename.startsWith('cut short'));
      assert.ok(expected.length >= 5, kind);
      for (const { id: one, filename } of expected) {
        const picture = archive.entry(filename).locator('.thumb > .picture.ready');
        await picture.waitFor();
        assert.match(await picture.getAttribute('src') ?? '', new RegExp(`^/api/assets/${one}/thumbnail\\?size=(256|512)$`));
      }
    }
    assert.ok(most <= 3, `${most} at once`);
  });

  it('draws the kind where there is no picture, and pictures from inside on folders', async () => {
    await archive.openCollection(id('archives'), 'grid');
    await archive.settled();
    await archive.assets.first().waitFor();
    assert.equal(await archive.listing.locator('.thumb > .picture.ready').count(), 0);
    assert.ok(await archive.listing.locator('.thumb[data-kind="archive"]').count() >= 5);
    await archive.openCollection(collections.get('Samples/All').id, 'grid');
    const tile = archive.listing.locator('.folder-row[title="pictures"]');
    // The picture that was cut short has none.
    await tile.locator('.mosaic .picture.ready').nth(2).waitFor();
    assert.equal(await archive.listing.locator('.folder-row[title="archives"] .mosaic').isVisible(), false);
  });

  it('says everything of one, its hash in groups, copied plain', async () => {
    const bytes = readFileSync(file);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await select('pictures', pictures.largest);
    const { details } = archive;
    assert.equal(await details.getByTestId('details-sha256').innerText(), sha256.replace(/(.{8})(?=.)/g, '$1 '));
    await details.getByTestId('copy-sha256').click();
    await page.getByText('Hash copied.').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), sha256);
    const said = await details.innerText();
    const one = await asset('pictures', pictures.largest);
    for (const words of ['image/png', `${bytes.length.toLocaleString('en')} bytes`, 'Chunks', `entry ${one.id.toLocaleString('en')} of the log`, 'Samples/All/pictures']) assert.ok(said.includes(words), `${words} in:\n${said}`);
    await details.getByTestId('details-facts').getByText('Dimensions').waitFor();
    const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    await details.getByTestId('details-facts').getByText(`${width} × ${height}`).waitFor();
  });

  it('selects the hash where the page may not copy, and says why', async () => {
    await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); });
    await archive.details.getByTestId('copy-sha256').click();
    await page.getByText(/Copying needs HTTPS here. The hash is selected/).waitFor();
    assert.match(await page.evaluate(() => String(getSelection())), /^[0-9a-f]{8}( [0-9a-f]{8}){7}$/);
  });

  it('names where else the same content hangs, and opens it there', async () => {
    await select('pictures', pictures.largest);
    const places = archive.details.getByTestId('same-content');
    await places.getByText(`Samples/All/elsewhere/${TWICE}`).click();
    await page.locator(`dialog#viewer[open][aria-label="${TWICE}"]`).waitFor();
    await archive.closeViewer();
  });

  it('lists the versions of the name, and opens an older one', async () => {
    const [, name] = pictures.names;
    await select('pictures', name);
    const versions = archive.details.getByTestId('versions');
    await versions.getByText('v2, shown here').waitFor();
    await versions.getByRole('button', { name: /^v1/ }).click();
    const { id: newest } = await asset('pictures', name);
    const older = Number(new URL(page.url()).searchParams.get('v'));
    assert.ok(older > 0 && older < newest);
    await archive.closeViewer();
  });

  it('gives a proof that the program checks without the vault', async () => {
    await select('pictures', pictures.largest);
    const { name, file: proof } = await download(page, () => archive.details.getByTestId('details-proof').click(), temporaryFolder('downloads'));
    assert.equal(name, `${pictures.largest}.tlog-proof`);
    const checkpoint = path.join(temporaryFolder('kept'), 'kept.checkpoint');
    writeFileSync(checkpoint, await (await opened.context.request.get(`${server.origin}/api/checkpoint`)).text());
    const checked = run(['check-proof', file, proof, checkpoint], { folder, state });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  });

  it('never lets a late answer overwrite a newer one', async () => {
    const [slow, quick] = [await asset('pictures', pictures.largest), await asset('pictures', pictures.names[2])];
    await archive.openCollection(id('pictures'));
    await archive.settled();
    /** @type {(value?: unknown) => void} */
    let release = () => {};
    const held = new Promise((resolve) => { release = resolve; });
    // The real answer, only later.
    await page.route(`**/api/assets/${slow.id}/*`, async (route) => {
      await held;
      await route.continue().catch(() => {});
    });
    await archive.entry(slow.filename).click();
    await page.waitForRequest(`**/api/assets/${slow.id}/preview`);
    await archive.entry(quick.filename).click();
    await archive.details.getByText('CRC-32').waitFor();
    release();
    await page.unroute(`**/api/assets/${slow.id}/*`);
    await archive.details.getByTestId('details-facts').getByText('Dimensions').waitFor();
    assert.equal(await archive.details.getByTestId('details-name').innerText(), quick.filename);
    assert.equal((await archive.details.getByTestId('details-sha256').innerText()).replaceAll(' ', ''), quick.sha256);
  });

  it('keeps its height while it loads', async () => {
    await select('pictures', pictures.largest);
    const height = () => archive.details.evaluate((element) => element.scrollHeight);
    const before = await height();
    /** @type {(value?: unknown) => void} */
    let release = () => {};
    const held = new Promise((resolve) => { release = resolve; });
    const { id: next, filename } = await asset('pictures', pictures.names[2]);
    await page.route(`**/api/assets/${next}/*`, async (route) => {
      await held;
      await route.continue().catch(() => {});
    });
    await archive.entry(filename).click();
    await archive.details.getByTestId('details-name').getByText(filename, { exact: true }).waitFor();
    assert.ok(await height() >= before, 'nothing jumps');
    release();
    await archive.details.getByText('CRC-32').waitFor();
    await page.unroute(`**/api/assets/${next}/*`);
  });
});
