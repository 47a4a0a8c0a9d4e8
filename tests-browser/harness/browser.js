// A real browser with an eye on everything that must never happen: errors on the console, uncaught exceptions, dialogs the
// page did not draw itself, and requests to anybody but its own server.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { chromium, selectors } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Long enough for two slow cores, short enough that a hang is seen the same day. */
const PATIENCE_MS = 30_000;

// What a test looks for has an id, and what there are many of has a class.
selectors.setTestIdAttribute('id');

export function launch() {
  return chromium.launch({
    executablePath: process.env.COMPACTVAULT_TEST_BROWSER ?? onSearchPath(),
    headless: !process.env.HEADED,
    // The sandbox needs rights that a container often lacks; the only page opened is ours.
    args: ['--no-sandbox', '--disable-quic', '--disable-component-update', '--disable-sync',
      '--autoplay-policy=no-user-gesture-required'],
  });
}

function onSearchPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => existsSync(file));
  assert.ok(found, `none of ${NAMES.join(', ')} is on the search path`);
  return found;
}

/**
 * A page that has signed in by the server's address.
 * @param {import('playwright-core').Browser} browser @param {import('./server.js').Server} server
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openPage(browser, server, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 }, acceptDownloads: true, locale: 'en-GB', timezoneId: 'UTC', ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const trouble = watch(page, server.origin);
  await page.goto(server.address);
  assert.ok(!page.url().includes('token'), 'the token does not stay in the address');
  return { context, page, trouble };
}

/** @typedef {{assertNone: () => void, expect: (pattern: RegExp) => void}} Trouble */

/** @param {import('playwright-core').Page} page @param {string} origin @returns {Trouble} */
export function watch(page, origin) {
  /** @type {string[]} */
  const seen = [];
  /** @type {RegExp[]} */
  const expected = [];
  page.on('console', (message) => {
    const { url, lineNumber } = message.location();
    if (message.type() === 'error') seen.push(`console: ${message.text()} (${url}:${lineNumber})`);
  });
  page.on('pageerror', (error) => seen.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('dialog', (dialog) => {
    seen.push(`dialog: ${dialog.type()} ${dialog.message()}`);
    // Whoever leaves a page that asks means it; that it asked is noted above.
    (dialog.type() === 'beforeunload' ? dialog.accept() : dialog.dismiss()).catch(() => {});
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    const own = url.origin === origin || /^(?:data|blob|chrome-extension|chrome):$/.test(url.protocol);
    if (!own) seen.push(`request to somebody else: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) seen.push(`answer ${response.status()} to ${response.url()}`);
  });
  return {
    assertNone() {
      const rest = seen.splice(0).filter((line) => !expected.some((pattern) => pattern.test(line)));
      assert.deepEqual(rest, [], 'nothing untoward happened in the browser');
    },
    expect(pattern) {
      expected.push(pattern);
    },
  };
}

/**
 * Drops files and folders on the page as the operating system would: the browser itself makes the drag, so that folders
 * arrive as real directory entries.
 * @param {import('playwright-core').Page} page @param {import('playwright-core').Locator} target @param {string[]} paths
 */
export async function drop(page, target, paths) {
  const box = await target.boundingBox();
  assert.ok(box, 'what is dropped on can be seen');
  const at = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  const session = await page.context().newCDPSession(page);
  for (const type of /** @type {const} */ (['dragEnter', 'dragOver', 'drop'])) {
    await session.send('Input.dispatchDragEvent', { type, ...at, data });
  }
  await session.detach();
}

/** What a click downloads, saved under the folder. @param {import('playwright-core').Page} page @param {() => Promise<void>} act @param {string} folder */
export async function download(page, act, folder) {
  const [transfer] = await Promise.all([page.waitForEvent('download'), act()]);
  const name = transfer.suggestedFilename();
  const file = path.join(folder, `${Date.now()}-${path.basename(name)}`);
  await transfer.saveAs(file);
  return { name, file };
}
