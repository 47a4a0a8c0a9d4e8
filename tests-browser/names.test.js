// File names are hostile input. Names that carry markup, quotes, a turned writing direction, line breaks, 255 bytes or no
// UTF-8 at all are shown as what they are, in every place that shows a name, and nothing they say is carried out.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { download, launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { assertOneVaultAlone, run, startServer, temporaryFolder } from './harness/server.js';
import { readZip } from './harness/zip.js';

const ATTACK = 'globalThis.attacked=1';
const PROJECT = `"><img src=x onerror=${ATTACK}>`;
const COLLECTION = `<script>${ATTACK}<\u2215script>{{prefix}}`;
const NAMES = [
  `<img src=x onerror=${ATTACK}>.txt`,
  `"><svg onload=${ATTACK}>.txt`,
  `'quotes" &amp; &lt;b&gt; \`back\` \${${ATTACK}}.txt`,
  `javascript:${ATTACK}.html`,
  '%2e%2e%2fetc%2fpasswd.txt',
  '..\\..\\windows.txt',
  'CON.txt',
  ' leading and trailing .txt ',
  'line\nbreak\ttab.txt',
  '\u202Egpj.harmless.txt',
  'ملف عربي ١٢.txt',
  '日本語の名前.txt',
  'e\u0301 beside \u00e9.txt',
  '-rf.txt',
  '.hidden',
  'no extension at all',
  `${'é'.repeat(125)}.text`,
  `${'w'.repeat(251)}.txt`,
];
/** An archived page and picture that would run something if they were let. */
const HOSTILE_BYTES = new Map([
  ['page.html', `<!doctype html><script>parent.${ATTACK};fetch('http://127.0.0.1:9/')</script><img src=x onerror=${ATTACK}>`],
  ['picture.svg', `<svg xmlns="http://www.w3.org/2000/svg" onload="${ATTACK}"><script>${ATTACK}</script><circle r="40"/></svg>`],
]);

describe('hostile names', () => {
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
  const folder = temporaryFolder('names');
  const downloads = temporaryFolder('downloads');

  before(async () => {
    for (const name of NAMES) {
      assert.ok(Buffer.byteLength(name) <= 255, name);
      writeFileSync(path.join(folder, name), `the content of ${JSON.stringify(name)}\n`);
    }
    for (const [name, content] of HOSTILE_BYTES) writeFileSync(path.join(folder, name), content);
    browser = await launch();
    server = await startServer();
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
  });

  afterEach(async () => {
    opened.trouble.assertNone();
    if (opened.page.isClosed()) return;
    assert.equal(await opened.page.evaluate(() => 'attacked' in globalThis), false, 'nothing was carried out');
    assert.equal(await opened.page.locator('img[src="x"], [onload], [onerror]').count(), 0, 'no markup came of a name');
  });

  after(async () => {
    await browser?.close();
  });

  it('are given to projects and collections in the page', async () => {
    await archive.create(PROJECT);
    await archive.create(COLLECTION, PROJECT);
    collection = (await archive.collections()).get(`${PROJECT}/${COLLECTION}`);
    assert.ok(collection, 'the exact names are stored');
  });

  it('are dropped as files', async () => {
    await archive.openCollection(collection.id);
    await archive.add([...NAMES, ...HOSTILE_BYTES.keys()].map((name) => path.join(folder, name)));
    const account = await archive.account(60_000);
    assert.deepEqual([account.sealed, account.failed], [NAMES.length + HOSTILE_BYTES.size, 0], account.text);
    const stored = (await archive.assetsOf(collection.id)).map(({ filename }) => filename);
    assert.deepEqual(stored.sort(), [...NAMES, ...HOSTILE_BYTES.keys()].sort());
  });

  it('come back exact when they are not UTF-8', async () => {
    const odd = temporaryFolder('odd');
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x3c, 0x62, 0x3e, 0x2e, 0x62, 0x69, 0x6e]);
    writeFileSync(Buffer.concat([Buffer.from(`${odd}/`), name]), 'not UTF-8');
    const vault = vaultIn(server.folder);
    const added = run(['add', '--vault', vault, '--to', 'Odd/Names', `${odd}/.`], server);
    assert.equal(added.status, 0, added.stdout + added.stderr);
    const place = (await archive.collections()).get('Odd/Names');
    const [asset] = await archive.assetsOf(place.id);
    assert.equal(asset.filename, name.toString('utf8'));
    assert.ok(Buffer.from(asset.filename_base64, 'base64').equals(name));
    await archive.openCollection(place.id);
    await archive.assets.first().waitFor();
    assert.equal(String(await archive.bytes(asset.id)), 'not UTF-8');
  });

  for (const layout of /** @type {const} */ (['list', 'grid'])) {
    it(`are shown as text in the ${layout}, the details and the viewer`, async () => {
      await archive.openCollection(collection.id, layout);
      const rows = await archive.pageThrough();
      assert.equal(rows.length, NAMES.length + HOSTILE_BYTES.size);
      const byId = new Map((await archive.assetsOf(collection.id)).map((asset) => [asset.id, asset.filename]));
      await opened.page.keyboard.press('Home');
      for (const { id } of rows) {
        const row = opened.page.locator(`.asset-row[data-id="${id}"]`);
        await row.scrollIntoViewIfNeeded();
        assert.equal(visibleText(await row.locator('.name').innerText()), visibleText(String(byId.get(id))));
      }
      for (const name of [NAMES[0], NAMES[9], NAMES.at(-1), ...HOSTILE_BYTES.keys()]) {
        const id = [...byId].find(([, filename]) => filename === name)?.[0];
        await archive.goto(`/c/${collection.id}?as=${layout}&i=${id}&v=${id}`);
        await archive.viewer.locator('.viewer-content').locator(':scope > *').first().waitFor();
        assert.equal(visibleText(await archive.viewer.getByTestId('viewer-name').innerText()), visibleText(String(name)));
        await archive.closeViewer();
        assert.equal(visibleText(await archive.details.getByTestId('details-name').innerText()), visibleText(String(name)));
      }
    });
  }

  it('are searched for as they are', async () => {
    await archive.openCollection(collection.id);
    await archive.search('<img src=x');
    assert.equal(await archive.assets.count(), 1);
    await archive.search('%2e%2E');
    assert.equal(await archive.assets.count(), 1);
  });

  it('run nothing when an archived page is opened by itself', async () => {
    const assets = await archive.assetsOf(collection.id);
    for (const name of HOSTILE_BYTES.keys()) {
      const { id } = assets.find(({ filename }) => filename === name);
      const alone = await opened.context.newPage();
      let ran = false;
      alone.on('request', (request) => { ran ||= !request.url().startsWith(server.origin); });
      await alone.goto(`${server.origin}/api/assets/${id}`);
      await alone.waitForTimeout(200);
      assert.equal(await alone.evaluate(() => 'attacked' in globalThis), false, name);
      assert.equal(ran, false, `${name} reaches nobody`);
      await alone.close();
    }
  });

  it('are downloaded exactly, alone and in a ZIP that stays in its folder', async () => {
    const { file } = await download(opened.page, async () => {
      await archive.openCollection(collection.id);
      await opened.page.getByTestId('download-place').click();
    }, downloads);
    const contents = readZip(file).filter(({ name }) => !name.endsWith('/')).map(({ bytes }) => String(bytes)).sort();
    const wanted = [...NAMES, ...HOSTILE_BYTES.keys()].map((name) => String(readFileSync(path.join(folder, name)))).sort();
    assert.deepEqual(contents, wanted);
  });

  it('leave one file behind', async () => {
    await opened.page.close();
    await server.stop();
    const out = path.join(temporaryFolder('out'), 'tree');
    const vault = assertOneVaultAlone(server.folder);
    const exported = run(['export', '--vault', vault, '--out', out, `${PROJECT}/${COLLECTION}`], server);
    assert.equal(exported.status, 0, exported.stdout + exported.stderr);
    for (const name of NAMES) assert.ok(readFileSync(path.join(out, name)).equals(readFileSync(path.join(folder, name))), name);
  });
});

/** What is left of a name when codes for hidden characters are taken out: the page may draw them as it likes. @param {string} text */
function visibleText(text) {
  return text.replace(/\[?U\+[0-9A-F]{4}\]?|[\p{Cc}\p{Cf}]/gu, '').replace(/\s+/g, ' ').trim();
}

/** @param {string} folder */
function vaultIn(folder) {
  return path.join(folder, /** @type {string} */ (readdirSync(folder).find((name) => name.endsWith('.vault'))));
}
