// The main job, seen from outside: a real tree of more than a thousand files is dropped on the page of an empty vault, seen
// being sealed, paged through, found, looked at, and taken out again in four ways. Every byte is compared with its source.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { download, launch, openPage } from './harness/browser.js';
import { findFiles, makeTree, readTree, wav } from './harness/corpus.js';
import { drawMedia } from './harness/drawings.js';
import { ArchivePage } from './harness/page.js';
import { assertOneVaultAlone, run, startServer, temporaryFolder } from './harness/server.js';
import { readZip } from './harness/zip.js';

const FILES_MIN = 1_000;
const UPLOAD_PATIENCE_MS = 300_000;
const FOLDER = 'Field notes';
const NOTE = '# Heading\n\nfn main() { println!("a note"); } // not code\n';

describe('a real tree, in and out again', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** @type {Map<string, {bytes: Buffer, modifiedSeconds: number}>} */
  let source;
  /** @type {Map<string, any>} */
  let collections;
  const folder = path.join(temporaryFolder('source'), FOLDER);
  const downloads = temporaryFolder('downloads');

  before(async () => {
    browser = await launch();
    mkdirSync(path.join(folder, 'media'), { recursive: true });
    makeTree(folder, FILES_MIN);
    const { png, jpeg, webm } = await drawMedia(browser);
    const [found] = findFiles((file) => file.endsWith('.png'), 1);
    const media = { 'drawn.png': png, 'drawn.jpg': jpeg, 'film.webm': webm, 'tone.wav': wav(), 'note.md': Buffer.from(NOTE),
      'found.png': found ? readFileSync(found) : png, 'main.rs': Buffer.from('fn main() {\n    println!("hi"); // comment\n}\n') };
    for (const [name, bytes] of Object.entries(media)) writeFileSync(path.join(folder, 'media', name), bytes);
    source = readTree(folder);
    server = await startServer();
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
  });

  it('is dropped on an empty vault, which asks for a project and goes on', async () => {
    await archive.drop([folder]);
    const project = opened.page.getByTestId('drop-project-field');
    assert.equal(await project.inputValue(), 'Archive', 'a project is offered');
    await opened.page.getByTestId('drop-start').click();
    const account = await archive.account(UPLOAD_PATIENCE_MS);
    assert.equal(account.found, source.size, account.text);
    // Nothing was there before, and no two files of the tree share a place and a name.
    assert.equal(account.sealed, source.size, account.text);
  });

  it('is there with every level, name and digest', async () => {
    collections = await archive.collections();
    const listed = new Map();
    for (const [place, { id }] of collections) {
      for (const asset of await archive.assetsOf(id)) listed.set(`${place}/${asset.filename}`, asset);
    }
    const wanted = [...source.keys()].map((name) => `Archive/${FOLDER}/${name}`);
    assert.deepEqual([...listed.keys()].sort(), wanted.sort());
    for (const [name, { bytes, modifiedSeconds }] of source) {
      const asset = listed.get(`Archive/${FOLDER}/${name}`);
      assert.equal(asset.sha256, createHash('sha256').update(bytes).digest('hex'), name);
      assert.equal(asset.size_original, bytes.length, name);
      assert.equal(Math.floor(asset.modified_unix_ms / 1000), modifiedSeconds, `when ${name} was modified`);
    }
  });

  it('is paged through to the last row, in natural order', async () => {
    const crowd = collections.get(`Archive/${FOLDER}/crowd`);
    await archive.openCollection(crowd.id);
    const rows = await archive.pageThrough();
    assert.deepEqual(rows.map(({ index }) => index), rows.map((_, number) => number), 'no row is left out');
    const names = rows.map(({ name }) => name);
    const wanted = [...source.keys()].filter((name) => /^crowd\/[^/]+$/.test(name)).map((name) => name.slice('crowd/'.length));
    assert.ok(wanted.length > 130, 'one folder holds more than readEntries hands out at once');
    assert.deepEqual([...names].sort(), wanted.sort());
    const numbers = names.map((name) => /^entry (\d+)/.exec(name)?.[1]).filter(Boolean).map(Number);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'entry 2 stands before entry 10');
  });

  it('is searched and sorted by the server', async () => {
    const crowd = collections.get(`Archive/${FOLDER}/crowd`);
    await archive.openCollection(crowd.id);
    await archive.search('"ENTRY 19"');
    const found = (await archive.drawn()).map(({ name }) => name);
    const wanted = [...source.keys()].filter((name) => name.startsWith('crowd/entry 19'));
    assert.equal(found.length, wanted.length, found.join());
    assert.ok(found.every((name) => name.startsWith('entry 19')), found.join());
    await archive.search('"no such name anywhere"');
    assert.equal(await archive.assets.count(), 0);
    await archive.search('');
    await opened.page.getByTestId('sort').selectOption('size');
    await archive.addressSays('sort', 'size');
    await archive.settled();
    const sizes = (await archive.drawn()).slice(0, 15).map(({ name }) => source.get(`crowd/${name}`)?.bytes.length ?? -1);
    assert.deepEqual(sizes, [...sizes].sort((a, b) => a - b), 'smallest first');
    await opened.page.getByTestId('sort-order').click();
    await archive.addressSays('sort', '-size');
    await archive.settled();
    const largest = Math.max(...[...source].filter(([name]) => name.startsWith('crowd/')).map(([, { bytes }]) => bytes.length));
    assert.equal(source.get(`crowd/${(await archive.drawn())[0].name}`)?.bytes.length, largest);
  });

  it('is looked at: a picture, a sound, a film, a text', async () => {
    await archive.openCollection(collections.get(`Archive/${FOLDER}/media`).id);
    await archive.settled();
    const shown = archive.viewer;

    for (const name of ['drawn.png', 'drawn.jpg', 'found.png']) {
      await archive.view(name);
      await shown.getByTestId('viewer-image').evaluate((/** @type {HTMLImageElement} */ image) => image.decode());
      assert.ok(await shown.getByTestId('viewer-image').evaluate((/** @type {HTMLImageElement} */ image) => image.naturalWidth) > 0, name);
      await archive.closeViewer();
    }
    for (const [name, tag, seconds] of /** @type {const} */ ([['tone.wav', 'audio', 1.9], ['film.webm', 'video', 0]])) {
      await archive.view(name);
      const media = shown.locator(tag);
      await media.waitFor({ state: 'attached' });
      const played = await media.evaluate(async (/** @type {HTMLMediaElement} */ element) => {
        element.muted = true;
        await element.play();
        while (element.currentTime < 0.2 && !element.ended) await new Promise((resolve) => setTimeout(resolve, 20));
        const width = element instanceof HTMLVideoElement ? element.videoWidth : 0;
        return { at: element.currentTime, duration: element.duration, error: element.error?.message ?? '', width };
      });
      assert.equal(played.error, '', name);
      assert.ok(played.at > 0, `${name} plays`);
      assert.ok(played.duration >= seconds, `${name} lasts ${played.duration} s`);
      if (tag === 'video') assert.equal(played.width, 320);
      await archive.closeViewer();
    }
    await archive.view('note.md');
    await shown.getByText('fn main()').waitFor();
    assert.ok((await shown.innerText()).includes('// not code'));
    await archive.closeViewer();
  });

  it('gives one asset back, byte for byte', async () => {
    await archive.openCollection(collections.get(`Archive/${FOLDER}`).id);
    await archive.settled();
    await archive.entry('noise.bin').click();
    const { name, file } = await download(opened.page, async () => {
      await archive.details.getByTestId('download').click();
    }, downloads);
    assert.equal(name, 'noise.bin');
    assert.ok(readFileSync(file).equals(/** @type {any} */ (source.get('noise.bin')).bytes));
  });

  it('gives a selection back as a flat ZIP', async () => {
    await archive.openCollection(collections.get(`Archive/${FOLDER}/media`).id);
    await archive.settled();
    const names = ['drawn.jpg', 'film.webm', 'tone.wav'];
    await archive.entry(names[0]).click();
    for (const name of names.slice(1)) await archive.entry(name).click({ modifiers: ['Control'] });
    await archive.actionBar.getByText(/3 selected/).waitFor();
    const { name, file } = await download(opened.page, () => archive.actionBar.getByTestId('download-selection').click(), downloads);
    assert.equal(name, 'selected_assets.zip');
    const expected = new Map(names.map((asset) => [asset, source.get(`media/${asset}`)]));
    compareZip(file, /** @type {any} */ (expected));
  });

  it('gives a collection and a project back as ZIPs with their folders', async () => {
    await archive.openCollection(collections.get(`Archive/${FOLDER}/deep`).id);
    const deep = await download(opened.page, () => opened.page.getByTestId('download-place').click(), downloads);
    assert.equal(deep.name, 'deep.zip');
    compareZip(deep.file, new Map([...source].filter(([name]) => name.startsWith('deep/'))));

    const [project] = await archive.get('/api/projects');
    await archive.goto(`/p/${project.id}`);
    const whole = await download(opened.page, () => opened.page.getByTestId('download-place').click(), downloads);
    assert.equal(whole.name, 'Archive.zip');
    compareZip(whole.file, new Map([...source].map(([name, content]) => [`Archive/${FOLDER}/${name}`, content])));
  });

  it('is dropped again and nothing is archived twice', async () => {
    const { assets } = await archive.get('/api/status');
    const [project] = await archive.get('/api/projects');
    await archive.goto(`/p/${project.id}`);
    await archive.add([folder]);
    const account = await archive.account(UPLOAD_PATIENCE_MS);
    assert.equal(account.found, source.size, account.text);
    assert.equal(account.already, source.size, account.text);
    assert.equal((await archive.get('/api/status')).assets, assets);
  });

  it('leaves one file that verifies when the server is stopped', async () => {
    await opened.page.close();
    await server.stop();
    const vault = assertOneVaultAlone(server.folder);
    const verified = run(['verify', '--deep', vault], server);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    assertOneVaultAlone(server.folder);
  });
});

/** @param {string} file @param {Map<string, {bytes: Buffer, modifiedSeconds: number}>} expected */
function compareZip(file, expected) {
  const members = readZip(file).filter(({ name }) => !name.endsWith('/'));
  assert.deepEqual(members.map(({ name }) => name).sort(), [...expected.keys()].sort());
  for (const { name, bytes, modifiedSeconds } of members) {
    const wanted = expected.get(name);
    assert.ok(wanted && bytes.equals(wanted.bytes), `the bytes of ${name}`);
    assert.equal(modifiedSeconds, wanted?.modifiedSeconds, `when ${name} was modified`);
  }
}
