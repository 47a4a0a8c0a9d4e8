// Content is hostile input: every file of a corpus that goes for the session, the API, the page and the network is looked
// at in every way the program has of showing it, while a canary listens. It must hear nothing.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { launch, openPage } from './harness/browser.js';
import { hostileFiles, PDF_SAYS } from './harness/hostile.js';
import { ArchivePage } from './harness/page.js';
import { assertOneVaultAlone, run, startServer, temporaryFolder } from './harness/server.js';

/** For what a page would do by itself after it was drawn. */
const PAUSE_MS = 100;

describe('hostile content', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** @type {any} */
  let collection;
  /** @type {any[]} */
  let assets;
  /** What reached the canary. @type {string[]} */
  const heard = [];
  const canary = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    response.setHeader('Access-Control-Allow-Origin', '*').end();
  });
  canary.on('upgrade', (request, socket) => {
    heard.push(`upgrade ${request.url}`);
    socket.destroy();
  });

  before(async () => {
    await new Promise((resolve) => { canary.listen(0, '127.0.0.1', () => resolve(null)); });
    const { port } = /** @type {import('node:net').AddressInfo} */ (canary.address());
    const files = hostileFiles(`http://127.0.0.1:${port}`);
    const folder = temporaryFolder('hostile');
    for (const [name, bytes] of files) writeFileSync(path.join(folder, name), bytes);
    server = await startServer();
    const vault = path.join(server.folder, 'default.vault');
    const added = run(['add', '--vault', vault, '--to', 'P/C', `${folder}/.`], server);
    assert.equal(added.status, 0, added.stdout + added.stderr);
    browser = await launch();
    opened = await openPage(browser, server);
    // Media that cannot be decoded are told on the console, and what a policy refused is, too.
    opened.trouble.expect(/^console: /);
    // The PDF viewer is an extension that comes with the browser.
    opened.trouble.expect(/^request to somebody else: chrome(-extension)?:/);
    // What a policy refused counts as a request to the browser; the canary knows what was sent.
    opened.trouble.expect(new RegExp(`^request to somebody else: http://127.0.0.1:${port}/`));
    // Browsers run a PDF's script in a process apart and let it open message boxes, which nobody can forbid them.
    opened.trouble.expect(new RegExp(`^dialog: alert ${PDF_SAYS}$`));
    archive = new ArchivePage(opened.page, server.origin);
    collection = (await archive.collections()).get('P/C');
    assets = await archive.assetsOf(collection.id);
    assert.equal(assets.length, files.size);
  });

  after(async () => {
    await browser?.close();
    canary.close();
  });

  /** A PDF is opened late, by a viewer that is loaded first: its script has run once it has said so. @param {import('playwright-core').Page} page @param {string} filename @param {() => Promise<unknown>} show */
  async function shown(page, filename, show) {
    const said = filename === 'actions.pdf' && page.waitForEvent('dialog');
    await show();
    await said;
    await page.waitForTimeout(PAUSE_MS);
  }

  /** Nothing has happened that should not. @param {string} where */
  async function assertQuiet(where) {
    assert.deepEqual(heard, [], `${where}: the canary was reached`);
    opened.trouble.assertNone();
    assert.equal(await opened.page.evaluate(() => 'attacked' in globalThis || 'attacked' in {}), false, `${where}: something ran`);
    const projects = (await archive.get('/api/projects')).map((/** @type {any} */ project) => project.name);
    assert.deepEqual(projects, ['P'], `${where}: something was added`);
    assert.equal(new URL(opened.page.url()).origin, server.origin, `${where}: the page was left`);
  }

  it('is heard by the canary where it is let: the canary works', async () => {
    const alone = await browser.newPage();
    const { port } = /** @type {import('node:net').AddressInfo} */ (canary.address());
    await alone.setContent(String(hostileFiles(`http://127.0.0.1:${port}`).get('loads.html')));
    await alone.waitForTimeout(500);
    await alone.close();
    assert.ok(heard.length >= 5, `only ${heard} were heard`);
    heard.length = 0;
  });

  for (const layout of /** @type {const} */ (['list', 'grid'])) {
    it(`does nothing in the ${layout}`, async () => {
      await archive.openCollection(collection.id, layout);
      await archive.pageThrough();
      await opened.page.waitForTimeout(PAUSE_MS);
      await assertQuiet(layout);
    });
  }

  it('does nothing in the details and in the viewer, in whichever way it is shown', async () => {
    for (const { id, filename } of assets) {
      await shown(opened.page, filename, () => archive.goto(`/c/${collection.id}?as=grid&i=${id}&v=${id}`));
      await archive.viewer.locator('.viewer-content').locator(':scope > *').first().waitFor();
      for (const mode of ['', ...await archive.viewer.locator('[data-mode]:is(button)').evaluateAll((buttons) => buttons.map((button) => button.getAttribute('data-mode') ?? ''))]) {
        if (mode) await archive.viewer.getByTestId(`mode-${mode}`).click();
        await archive.viewer.locator('.viewer-content').locator(':scope > *').first().waitFor();
        await opened.page.waitForTimeout(PAUSE_MS);
      }
      await assertQuiet(`${filename} in the viewer`);
    }
  });

  it('does nothing when it is opened by itself, with the session', async () => {
    for (const { id, filename } of assets) {
      const alone = await opened.context.newPage();
      alone.on('dialog', (dialog) => dialog.dismiss());
      // What is saved and not shown ends the navigation.
      await shown(alone, filename, () => alone.goto(`${server.origin}/api/assets/${id}`).catch(() => null));
      const ran = await alone.evaluate(() => 'attacked' in globalThis).catch(() => false);
      assert.equal(ran, false, `${filename} ran by itself`);
      await alone.close();
      await assertQuiet(`${filename} by itself`);
    }
  });

  it('does nothing in frames and elements of a page of the same server', async () => {
    await archive.openCollection(collection.id);
    for (const { id, filename } of assets) {
      await shown(opened.page, filename, () => opened.page.evaluate((address) => {
        for (const [tag, attribute] of [['iframe', 'src'], ['img', 'src'], ['object', 'data'], ['embed', 'src']]) {
          const element = document.createElement(tag);
          // The page's own policy stands before all of these; what it lets through must be quiet as well.
          try { element.setAttribute(attribute, address); document.body.append(element); } catch { /* Trusted Types */ }
        }
      }, `/api/assets/${id}`));
      await opened.page.evaluate(() => document.querySelectorAll('body > iframe, body > img, body > object, body > embed').forEach((element) => element.remove()));
      await assertQuiet(`${filename} in a frame`);
    }
  });

  it('is bounded in what the server does with it', async () => {
    for (const { id, filename } of assets) {
      const begun = Date.now();
      const details = await archive.get(`/api/assets/${id}/preview`);
      assert.ok((details.content ?? '').length <= 256 * 1024, filename);
      assert.ok((details.highlight ?? []).length <= 60_000, filename);
      assert.ok(Date.now() - begun < 10_000, `${filename} took ${Date.now() - begun} ms`);
    }
  });

  it('is answered or refused with a reason by whatever looks into it, soon', async () => {
    const { request } = opened.context;
    for (const { id, filename } of assets) {
      for (const look of ['thumbnail?size=512', 'facts', 'text', 'text/search?query=a', 'table', 'members', 'document', 'model']) {
        const begun = Date.now();
        const answer = await request.get(`${server.origin}/api/assets/${id}/${look}`);
        const took = Date.now() - begun;
        assert.ok([200, 404, 422].includes(answer.status()), `${filename}, ${look}: ${answer.status()} ${(await answer.text()).slice(0, 200)}`);
        if (answer.status() !== 200) assert.match((await answer.json()).message, /\S/, `${filename}, ${look}: a reason`);
        assert.ok(took < 20_000, `${filename}, ${look}: ${took} ms`);
      }
    }
    await assertQuiet('looking into everything');
  });

  it('leaves one file behind', async () => {
    await opened.page.close();
    await server.stop();
    assertOneVaultAlone(server.folder);
    assert.deepEqual(heard, []);
  });
});
