// Everything that matters can be done without a pointer: find a place in the tree, go there, walk the listing, select, open
// the viewer, turn pages, come back to where one was.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

const FILES = 40;

describe('by keyboard alone', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** @type {(key: string) => Promise<void>} */
  let press;

  before(async () => {
    const source = temporaryFolder('keyboard');
    mkdirSync(path.join(source, 'inner'));
    for (let i = 1; i <= FILES; i += 1) writeFileSync(path.join(source, 'inner', `note${i}.txt`), `note number ${i}\n`);
    const served = temporaryFolder('served');
    const state = temporaryFolder('state');
    const vault = path.join(served, 'keys.vault');
    for (const words of [['init', vault], ['add', '--vault', vault, '--to', 'Desk/Drawer', path.join(source, 'inner')]]) {
      const done = run(words, { folder: served, state });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    browser = await launch();
    server = await startServer({ folder: served, state });
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
    press = (key) => opened.page.keyboard.press(key);
    await archive.place('Desk').waitFor();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('the tree is reached by Tab, opened by arrows, entered by Enter', async () => {
    await tabTo((focused) => focused.getAttribute('role') === 'tree');
    await press('ArrowDown');
    assert.equal(await activeLabel(), 'Desk');
    await press('ArrowRight');
    await archive.place('Drawer').waitFor();
    await press('ArrowDown');
    assert.equal(await activeLabel(), 'Drawer');
    await press('ArrowRight');
    await archive.place('inner').waitFor();
    await press('ArrowDown');
    assert.equal(await activeLabel(), 'inner');
    assert.equal(new URL(opened.page.url()).pathname, '/', 'focus alone goes nowhere');
    await press('Enter');
    await opened.page.waitForFunction(() => /^\/c\/\d+$/.test(location.pathname));
    await archive.entry('note1.txt').waitFor();
  });

  it('the listing is walked and selected in', async () => {
    await tabTo((focused) => focused.getAttribute('role') === 'grid');
    await press('Home');
    await press('Space');
    await press('Shift+ArrowRight');
    await press('Shift+ArrowRight');
    await archive.actionBar.getByText(/\d+ selected/).waitFor();
    assert.match(await archive.actionBar.innerText(), /3 selected/);
    await press('Control+a');
    await archive.actionBar.getByText(new RegExp(`${FILES} selected`)).waitFor();
    await press('Escape');
    await archive.actionBar.waitFor({ state: 'hidden' });
  });

  it('End, Home and letters land where they say', async () => {
    await press('End');
    assert.match(await activeName(), new RegExp(`^note${FILES}\\.txt`));
    await press('Home');
    assert.match(await activeName(), /^note1\.txt/);
    await opened.page.keyboard.type('note27');
    await landed('note27.txt');
  });

  it('an answer to fewer letters that comes late moves nothing', async () => {
    /** @type {(value?: unknown) => void} */
    let letGo = () => {};
    const held = new Promise((resolve) => { letGo = resolve; });
    const fewer = /\/rank\?.*prefix=note2$/;
    await opened.page.route(fewer, (route) => held.then(() => route.continue()));
    const late = opened.page.waitForResponse(fewer);
    await press('Home');
    await opened.page.keyboard.type('note27');
    await landed('note27.txt');
    letGo();
    await (await late).finished();
    await opened.page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
    assert.equal(await activeName(), 'note27.txt');
    await opened.page.unroute(fewer);
  });

  it('the viewer opens, turns pages and closes onto the asset last seen', async () => {
    await press('Enter');
    const name = archive.viewer.getByTestId('viewer-name');
    await name.getByText('note27').waitFor();
    await archive.viewer.getByText('note number 27').waitFor();
    await press('ArrowRight');
    await archive.viewer.getByText('note number 28').waitFor();
    await press('Escape');
    await opened.page.locator('dialog[open]').waitFor({ state: 'detached' });
    assert.match(await activeName(), /^note28\.txt/);
    assert.equal(await opened.page.evaluate(() => document.activeElement?.getAttribute('role')), 'grid', 'focus is back in the listing');
  });

  it('the list of keys opens on a question mark, and is narrowed by typing', async () => {
    await tabTo((focused) => focused.getAttribute('role') === 'grid');
    await press('Shift+?');
    const keys = opened.page.locator('#shortcuts');
    await keys.getByText('Jump to a name').waitFor();
    await opened.page.keyboard.type('viewer ZOOM');
    await keys.getByText('Jump to a name').waitFor({ state: 'hidden' });
    assert.deepEqual(await keys.locator('h3:visible, dt:visible').allInnerTexts(), ['Viewer', 'Zoom']);
    await opened.page.keyboard.type('ing');
    await keys.getByText('No key does that.').waitFor();
    await press('Escape');
    await keys.waitFor({ state: 'hidden' });
    assert.equal(await opened.page.evaluate(() => document.activeElement?.getAttribute('role')), 'grid', 'focus is back in the listing');
  });

  it('every stop of Tab shows a ring', async () => {
    await opened.page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
    for (let stop = 0; stop < 25; stop += 1) {
      await press('Tab');
      const bare = await opened.page.evaluate(() => {
        const focused = document.activeElement;
        if (!focused || focused === document.body) return '';
        // A composite shows its ring on the active descendant.
        const active = document.getElementById(focused.getAttribute('aria-activedescendant') ?? '') ?? focused;
        const rings = [focused, active].map((element) => getComputedStyle(element));
        const seen = rings.some(({ outlineStyle, outlineWidth, boxShadow }) => (
          (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) || boxShadow !== 'none'));
        return seen ? '' : focused.outerHTML.slice(0, 200);
      });
      assert.equal(bare, '', 'this has no ring');
    }
  });

  /** @param {(focused: Element) => boolean} reached */
  async function tabTo(reached) {
    for (let stop = 0; stop < 40; stop += 1) {
      await press('Tab');
      const focused = await opened.page.evaluateHandle(() => document.activeElement);
      if (await focused.evaluate(reached)) return;
    }
    assert.fail('Tab does not get there');
  }

  /** The name of the tree row that the keyboard is on. */
  function activeLabel() {
    return opened.page.evaluate(() => {
      const id = document.activeElement?.getAttribute('aria-activedescendant');
      return (id && document.getElementById(id)?.querySelector('.label')?.textContent) ?? '';
    });
  }

  /** The keyboard comes to an entry. @param {string} name */
  async function landed(name) {
    await opened.page.waitForFunction((wanted) => {
      const id = document.querySelector('#listing')?.getAttribute('aria-activedescendant');
      return (id && document.getElementById(id)?.title) === wanted;
    }, name);
  }

  /** The name of the entry that the keyboard is on. */
  function activeName() {
    return opened.page.evaluate(() => {
      const id = document.querySelector('#listing')?.getAttribute('aria-activedescendant');
      return (id && document.getElementById(id)?.title) ?? '';
    });
  }
});
