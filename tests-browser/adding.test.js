// Adding, as it may go wrong or be thought over: nothing is sent before the one button, what is there already is not sent, a
// pause holds and a cancel ends, a reload and a killed server lose no part, and the account adds up and can be kept.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { download, launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { startServer, temporaryFolder } from './harness/server.js';

const LARGE_BYTES = 24 * 1024 * 1024;
const PART_BYTES = 4 * 1024 * 1024;
const PATIENCE_MS = 60_000;

describe('adding', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** Bytes of parts and files that left the page. */
  let sent = 0;
  const source = temporaryFolder('adding');

  before(async () => {
    browser = await launch();
    server = await startServer();
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
    await archive.create('Desk');
    await archive.create('In', 'Desk');
    await archive.place('In').click();
    await opened.page.waitForURL(/\/c\//);
    opened.page.on('request', (request) => {
      if (request.method() === 'POST' && /upload\/chunk|\/assets\?|\/batch/.test(request.url())) sent += 1;
    });
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('says what was found and that it is for good, and sends nothing before the button', async () => {
    const files = ['one.txt', 'two.txt', 'three.txt'].map((name) => file(name, Buffer.from(`${name}\n`)));
    await archive.drop(files);
    await opened.page.getByTestId('drop-found').getByText('Found 3 files').waitFor();
    const card = await archive.uploads.innerText();
    assert.match(card, /Archived for good: nothing here can be changed or removed/);
    assert.equal(await opened.page.getByTestId('drop-start').innerText(), 'Archive 3 files');
    assert.equal(sent, 0, 'nothing left yet');
    await opened.page.getByTestId('drop-start').click();
    const { sealed } = await archive.account(PATIENCE_MS);
    assert.equal(sealed, 3);
  });

  it('knows what is there by name, size and time, or by its hash, and sends only the rest', async () => {
    const before = sent;
    const same = path.join(source, 'one.txt');
    const touched = file('two.txt', Buffer.from('two.txt\n'), 1_600_000_000);
    await archive.drop([same, touched, file('four.txt', Buffer.from('four\n'))]);
    await opened.page.getByTestId('drop-known').getByText('2 files are already here and will not be sent. 1 new').waitFor();
    assert.equal(await opened.page.getByTestId('drop-start').innerText(), 'Archive 1 file');
    await opened.page.getByTestId('drop-start').click();
    const { text, sealed, already } = await archive.account(PATIENCE_MS);
    assert.deepEqual([sealed, already], [1, 2], text);
    assert.equal(sent - before, 1, 'one file left the page');
  });

  it('keeps a receipt of what was sealed', async () => {
    const bytes = Buffer.from('to be proved\n');
    await archive.add([file('proved.txt', bytes)]);
    await archive.uploads.getByTestId('upload-receipt').waitFor();
    const { file: saved } = await download(opened.page, () => archive.uploads.getByTestId('upload-receipt').click(), temporaryFolder('receipt'));
    const receipt = JSON.parse(readFileSync(saved, 'utf8'));
    const [asset] = receipt.assets;
    assert.equal(asset.sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.equal(receipt.checkpoint, await opened.page.evaluate(async () => (await fetch('/api/checkpoint')).text()));
    assert.equal(String(await archive.bytes(asset.asset)), String(bytes));
    assert.equal(asset.log_position, asset.asset);
    await archive.account(PATIENCE_MS);
  });

  it('takes a picture from the clipboard under a name of its own', async () => {
    await opened.page.evaluate(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['not really a picture'], 'image.png', { type: 'image/png' }));
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
    });
    await opened.page.getByTestId('drop-start').click();
    assert.equal((await archive.account(PATIENCE_MS)).sealed, 1);
    await opened.page.locator('.asset-row[title^="Pasted "]').first().waitFor();
  });

  it('holds while it is paused, and goes on', async () => {
    const release = await holdParts();
    await archive.add([noise('paused.bin')]);
    await archive.uploads.getByTestId('upload-pause').click();
    await archive.uploads.getByRole('heading', { name: 'Paused' }).waitFor();
    await release();
    const before = sent;
    await opened.page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
    assert.equal(sent, before, 'nothing leaves in a pause');
    await archive.uploads.getByTestId('upload-pause').click();
    assert.equal((await archive.account(PATIENCE_MS)).sealed, 1);
  });

  it('is cancelled with an account that adds up, and can be tried again', async () => {
    // Asking after an upload that never began is answered so.
    opened.trouble.expect(/status of 404/);
    const release = await holdParts();
    await archive.add([noise('cancelled.bin')]);
    await archive.uploads.getByTestId('upload-cancel').click();
    await release();
    const summary = archive.uploads.locator('#upload-summary[data-finished="true"]');
    await summary.waitFor();
    assert.equal(await summary.getAttribute('data-failed'), '1');
    await archive.uploads.getByTestId('upload-retry').click();
    await archive.uploads.locator('#upload-summary[data-failed="0"]').waitFor();
    assert.equal((await archive.account(PATIENCE_MS)).sealed, 1);
  });

  it('goes on after a reload with one click, where the browser kept a hold on the files', async () => {
    const large = noise('held.bin');
    await reloadedAmid(large);
    const there = new Set((await archive.get('/api/uploads')).uploads[0].parts.map((/** @type {any} */ { index }) => index));
    /** @type {number[]} */
    const again = [];
    opened.page.on('request', (request) => {
      const part = /upload\/chunk.*chunk_index=(\d+)/.exec(request.url());
      if (part) again.push(Number(part[1]));
    });
    await opened.page.getByTestId('left-summary').waitFor();
    await archive.uploads.getByRole('button', { name: 'Continue' }).click();
    const { sealed, text } = await archive.account(PATIENCE_MS);
    assert.equal(sealed, 1, text);
    assert.deepEqual(again.filter((index) => there.has(index)), [], `${[...there]} were there`);
    const { id } = (await archive.collections()).get('Desk/In');
    const asset = (await archive.assetsOf(id)).find(({ filename }) => filename === 'held.bin');
    assert.ok((await archive.bytes(asset.id)).equals(readFileSync(large)));
  });

  it('goes on after a reload without sending parts twice', async () => {
    const large = noise('reloaded.bin');
    await reloadedAmid(large);
    await opened.page.getByTestId('left-summary').getByText('1 file was left unsent').waitFor();
    await opened.page.getByTestId('upload-close').click();
    const [unfinished] = (await archive.get('/api/uploads')).uploads;
    const there = unfinished.parts.map((/** @type {any} */ { index }) => index);
    assert.ok(there.length >= 3, `${there} are there`);
    /** @type {number[]} */
    const again = [];
    opened.page.on('request', (request) => {
      const part = /upload\/chunk.*upload_id=([^&]+).*chunk_index=(\d+)/.exec(request.url());
      if (part) again.push(part[1] === unfinished.upload_id ? Number(part[2]) : -1);
    });
    await archive.add([large]);
    assert.equal((await archive.account(PATIENCE_MS)).sealed, 1);
    assert.deepEqual(again.filter((index) => index < 0 || there.includes(index)), [], `of ${there}, again ${again}`);
  });

  it('keeps nothing to go on with of what has ended, also where the page is reloaded at once', async () => {
    const left = () => opened.page.evaluate(async () => {
      const { leftBatches } = await import(/** @type {HTMLLinkElement} */ (document.querySelector('link[href$="/kept.js"]')).href);
      return (await leftBatches()).map((/** @type {any} */ { id }) => id);
    });
    const before = await left();
    await archive.add([noise('ended.bin')]);
    assert.equal((await archive.account(PATIENCE_MS)).sealed, 1);
    await opened.page.reload();
    await archive.settled();
    assert.deepEqual(await left(), before);
  });

  it('waits for a server that was killed, and goes on by itself', async () => {
    opened.trouble.expect(/ERR_|status of 401|status of 5|answer 5/);
    const large = noise('killed.bin');
    const release = await holdParts(2);
    await archive.add([large]);
    await received(2);
    await server.kill();
    await release();
    await archive.uploads.getByRole('heading', { name: 'Waiting for the server' }).waitFor();
    server = await server.again();
    // Without a password every start has its own token: the person opens the new address beside the waiting page.
    const beside = await opened.context.newPage();
    await beside.goto(server.address);
    await beside.close();
    assert.equal((await archive.account(PATIENCE_MS)).sealed, 1);
    const collection = (await archive.collections()).get('Desk/In');
    const asset = (await archive.assetsOf(collection.id)).find(({ filename }) => filename === 'killed.bin');
    assert.ok((await archive.bytes(asset.id)).equals(readFileSync(large)));
  });

  it('shows itself to another page at once', async () => {
    const other = await opened.context.newPage();
    await other.goto(opened.page.url());
    const second = new ArchivePage(other, server.origin);
    await second.settled();
    await archive.add([file('seen by both.txt', Buffer.from('both\n'))]);
    await archive.account(PATIENCE_MS);
    await second.entry('seen by both.txt').waitFor();
    await archive.entry('seen by both.txt').waitFor();
    await other.close();
  });

  /** Reloads the page when some parts of a file are on the server and others are not. @param {string} large */
  async function reloadedAmid(large) {
    opened.trouble.expect(/dialog: beforeunload/);
    const release = await holdParts(3);
    await archive.add([large]);
    await received(3);
    await opened.page.reload();
    await release();
  }

  /** So many parts of the upload that is going on are on the server. @param {number} parts */
  async function received(parts) {
    for (const late = Date.now() + PATIENCE_MS; ; await opened.page.waitForTimeout(50)) {
      const { uploads } = await archive.get('/api/uploads');
      if (uploads.some((/** @type {any} */ upload) => upload.received_bytes >= parts * PART_BYTES)) return;
      assert.ok(Date.now() < late, `${parts} parts arrive`);
    }
  }

  /** Parts beyond the first so many wait until the returned function lets them through. */
  async function holdParts(through = 0) {
    /** @type {(() => void)[]} */
    const waiting = [];
    let open = false;
    let seen = 0;
    await opened.page.route(/upload\/chunk/, async (route) => {
      seen += 1;
      if (!open && seen > through) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
      await route.continue().catch(() => {});
    });
    return async () => {
      open = true;
      for (const go of waiting) go();
      await opened.page.unroute(/upload\/chunk/);
    };
  }

  /** @param {string} name @param {Buffer} bytes @param {number} [modifiedSeconds] */
  function file(name, bytes, modifiedSeconds = 1_700_000_000) {
    mkdirSync(source, { recursive: true });
    const to = path.join(source, name);
    writeFileSync(to, bytes);
    utimesSync(to, modifiedSeconds, modifiedSeconds);
    return to;
  }

  /** A file of several parts that nothing makes smaller. @param {string} name */
  function noise(name) {
    const bytes = Buffer.alloc(LARGE_BYTES);
    let seed = createHash('sha256').update(name).digest().readUInt32LE();
    for (let at = 0; at < LARGE_BYTES; at += 4) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      bytes.writeUInt32LE(seed, at);
    }
    return file(name, bytes);
  }
});
