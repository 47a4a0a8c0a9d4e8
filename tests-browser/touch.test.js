// The page under a finger: a tap opens, holding selects, a tap then adds and takes away, and a swipe scrolls without selecting.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

const FILES = 60;
const REST_MS = 200;

describe('under a finger', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;

  before(async () => {
    const source = temporaryFolder('touch');
    for (let i = 1; i <= FILES; i += 1) writeFileSync(path.join(source, `note${i}.txt`), `note number ${i}\n`);
    const served = temporaryFolder('served');
    const state = temporaryFolder('state');
    const vault = path.join(served, 'touch.vault');
    for (const words of [['init', vault], ['add', '--vault', vault, '--to', 'Desk/Drawer', `${source}/.`]]) {
      const done = run(words, { folder: served, state });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    browser = await launch();
    server = await startServer({ folder: served, state });
    opened = await openPage(browser, server, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    archive = new ArchivePage(opened.page, server.origin);
    await archive.openCollection((await archive.collections()).get('Desk/Drawer').id);
    await archive.entry('note1.txt').waitFor();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('a tap opens', async () => {
    await archive.entry('note2.txt').tap();
    await archive.viewer.getByText('note number 2').waitFor();
    await opened.page.goBack();
    await archive.viewer.waitFor({ state: 'hidden' });
  });

  it('a swipe scrolls and selects nothing', async () => {
    const top = () => archive.listing.locator('.scroll-box').evaluate((box) => box.scrollTop);
    const before = await top();
    // The finger rests before it is lifted, or the list would go on by its own momentum and a later touch only stop it.
    await touch(await middle('note8.txt'), { x: 0, y: -300 }, () => opened.page.waitForTimeout(REST_MS));
    await opened.page.waitForFunction((was) => (document.querySelector('#listing .scroll-box')?.scrollTop ?? 0) > was + 100, before);
    await archive.actionBar.waitFor({ state: 'hidden' });
    await archive.listing.locator('.scroll-box').evaluate((box) => box.scrollTo(0, 0));
    await archive.entry('note1.txt').waitFor();
  });

  it('holding selects, taps add and take away, and the last one taken away ends it', async () => {
    const selected = (/** @type {number} */ count) => archive.actionBar.getByText(`${count} selected`).waitFor();
    await touch(await middle('note3.txt'), null, () => selected(1));
    await selected(1);
    assert.ok(await archive.viewer.isHidden(), 'what was held is not opened as well');
    await archive.entry('note5.txt').tap();
    await selected(2);
    await archive.entry('note3.txt').tap();
    await selected(1);
    await archive.entry('note5.txt').tap();
    await archive.actionBar.waitFor({ state: 'hidden' });
  });

  /** @param {string} name */
  async function middle(name) {
    const box = await archive.entry(name).boundingBox();
    assert.ok(box, `${name} is on the screen`);
    return { x: box.x + box.width / 3, y: box.y + box.height / 2 };
  }

  /** A finger that goes down, moves or not, stays until a promise is kept, and is lifted. @param {{x: number, y: number}} at @param {{x: number, y: number} | null} by @param {() => Promise<void>} until */
  async function touch(at, by, until) {
    const session = await opened.context.newCDPSession(opened.page);
    const send = (/** @type {'touchStart' | 'touchMove' | 'touchEnd'} */ type, /** @type {any[]} */ touchPoints) => session.send('Input.dispatchTouchEvent', { type, touchPoints });
    await send('touchStart', [{ ...at, id: 1 }]);
    for (let step = 1; by && step <= 10; step += 1) await send('touchMove', [{ x: at.x + (by.x * step) / 10, y: at.y + (by.y * step) / 10, id: 1 }]);
    await until();
    await send('touchEnd', []);
    await session.detach();
  }
});
