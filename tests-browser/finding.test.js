// Finding one's way: a query in words and filters that says how it was read, anything by Ctrl+K, an address for every state, a
// selection drawn with the mouse, and what others add without losing one's place.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { download, launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';
import { readZip } from './harness/zip.js';

const NOTES = 400;

describe('finding', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** @type {Map<string, any>} */
  let places;
  const downloads = temporaryFolder('downloads');

  before(async () => {
    const source = temporaryFolder('finding');
    const music = path.join(source, 'Music');
    const mixed = path.join(source, 'Mixed');
    for (const folder of [music, mixed]) mkdirSync(folder);
    for (let i = 1; i <= NOTES; i += 1) writeFileSync(path.join(music, `note ${i}.txt`), `note ${i}\n`);
    writeFileSync(path.join(mixed, 'bark small.txt'), 'x'.repeat(10));
    writeFileSync(path.join(mixed, 'bark large.txt'), 'x'.repeat(200_000));
    writeFileSync(path.join(mixed, 'bärk.md'), '# bark\n');
    const folder = temporaryFolder('served');
    const state = temporaryFolder('state');
    const vault = path.join(folder, 'found.vault');
    for (const words of [['init', vault], ['add', '--vault', vault, '--to', 'Studio', music, mixed]]) {
      const done = run(words, { folder, state });
      assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    browser = await launch();
    server = await startServer({ folder, state });
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
    places = await archive.collections();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('a filter is read by the server, shown as a chip, and taken away by a click', async () => {
    await archive.goto('/?as=list');
    await archive.search('bark size:>100kb');
    assert.deepEqual((await archive.drawn()).map(({ name }) => name), ['bark large.txt']);
    const term = opened.page.locator('#read [data-kind="filter"]');
    assert.match(await term.innerText(), /100/);
    await term.click();
    await archive.addressSays('q', 'bark');
    await archive.settled();
    assert.equal(await archive.assets.count(), 3);
  });

  it('a type that the query names presses its chip, and a chip takes it out of the query', async () => {
    await archive.goto('/?as=list');
    await archive.search('bark type:image');
    const chip = (/** @type {string} */ type) => opened.page.getByTestId(`chip-${type}`);
    assert.equal(await chip('image').getAttribute('aria-pressed'), 'true');
    assert.equal(await chip('all').getAttribute('aria-pressed'), 'false');
    await chip('image').click();
    await archive.addressSays('q', 'bark');
    await archive.settled();
    assert.equal(await chip('all').getAttribute('aria-pressed'), 'true');
  });

  it('an unknown key is said to be one, with the nearest that is known', async () => {
    await archive.search('typ:text');
    await opened.page.locator('.unknown-term').getByText('there is no filter').waitFor();
    await opened.page.locator('#read .link').click();
    await archive.addressSays('q', 'type:text');
    await archive.settled();
    assert.ok(await archive.assets.count() > 3);
  });

  it('the examples open on a question mark, run as they stand, and leave the field to the keyboard', async () => {
    const field = opened.page.getByTestId('search-field');
    await field.fill('?');
    await opened.page.getByTestId('search-list').waitFor();
    await opened.page.keyboard.press('ArrowDown');
    await opened.page.keyboard.press('ArrowDown');
    assert.equal(await field.getAttribute('aria-activedescendant'), 'search-option-1');
    await opened.page.keyboard.press('Enter');
    await archive.addressSays('q', 'ext:png');
    await field.fill('type:');
    assert.deepEqual(await opened.page.locator('#search-list [role="option"]').evaluateAll((all) => all.slice(0, 2).map((one) => one.dataset.example)), ['type:image', 'type:video']);
    await opened.page.keyboard.press('Escape');
    await opened.page.getByTestId('search-list').waitFor({ state: 'hidden' });
  });

  it('the words looked for are marked in the names', async () => {
    await archive.goto('/?as=list');
    await archive.search('BARK');
    await opened.page.waitForFunction(() => [.../** @type {any} */ (CSS).highlights.get('search-hit') ?? []].length === 3);
    const marked = await opened.page.evaluate(() => [.../** @type {any} */ (CSS).highlights.get('search-hit')].map(String));
    assert.deepEqual(marked.sort(), ['bark', 'bark', 'bärk']);
  });

  it('here and the whole vault are one press apart, and back', async () => {
    await archive.openCollection(places.get('Studio/Music').id);
    await archive.search('bark');
    await opened.page.getByTestId('no-match').waitFor();
    await opened.page.locator('[data-scope="vault"]').click();
    await opened.page.waitForURL(/\/\?.*q=bark/);
    await archive.settled();
    assert.equal(await archive.assets.count(), 3);
    await opened.page.locator('[data-scope="here"]').click();
    await opened.page.waitForURL(new RegExp(`/c/${places.get('Studio/Music').id}`));
    await opened.page.getByTestId('no-match').waitFor();
  });

  it('Ctrl+K finds places, assets and actions by keyboard, and keeps what is marked while more arrives', async () => {
    await archive.goto('/');
    await archive.settled();
    await opened.page.keyboard.press('Control+k');
    const field = opened.page.getByTestId('palette-field');
    await field.fill('mus');
    const option = opened.page.locator('#palette-list [role="option"]');
    await option.filter({ hasText: 'Music' }).first().waitFor();
    assert.match(await marked(), /Music/);
    await opened.page.keyboard.press('Enter');
    await opened.page.waitForURL(new RegExp(`/c/${places.get('Studio/Music').id}`));
    await opened.page.keyboard.press('Control+k');
    await field.fill('bark l');
    await option.filter({ hasText: 'bark large.txt' }).waitFor();
    await opened.page.keyboard.press('Enter');
    await archive.viewer.getByText('bark large.txt').first().waitFor();
    await archive.closeViewer();
    await opened.page.keyboard.press('Control+k');
    await field.fill('>trust');
    await opened.page.keyboard.press('Enter');
    await opened.page.waitForURL(/\/trust$/);
  });

  it('a reload, back, and the address in a narrower window show the same asset at the same height', async () => {
    const { page } = opened;
    await archive.openCollection(places.get('Studio/Music').id, 'list');
    await archive.settled();
    await archive.listing.hover();
    await page.mouse.wheel(0, 3000);
    await page.waitForURL(/at=\d+~\d+/);
    const seen = await firstSeen();
    await page.reload();
    await archive.settled();
    assert.deepEqual(await firstSeen(), seen, 'after a reload');
    await archive.place('Studio').click();
    await page.waitForURL(/\/p\//);
    await page.goBack();
    await archive.settled();
    assert.deepEqual(await firstSeen(), seen, 'after going away and back');
    const narrow = await openPage(browser, server, { viewport: { width: 700, height: 600 } });
    await narrow.page.goto(page.url());
    await new ArchivePage(narrow.page, server.origin).settled();
    assert.deepEqual(await firstSeen(narrow.page), seen, 'in another window');
    await narrow.context.close();
  });

  it('a rubber band selects what clicks would, also beyond the edge, and Escape undoes it', async () => {
    const { page } = opened;
    await archive.openCollection(places.get('Studio/Music').id, 'grid');
    await archive.settled();
    const [first] = await archive.drawn();
    const tile = await archive.entry(first.name).boundingBox();
    assert.ok(tile);
    const view = await archive.listing.boundingBox();
    assert.ok(view);
    // Bare ground lies between two tiles.
    await page.mouse.move(view.x + 3, tile.y + 3);
    await page.mouse.down();
    await page.mouse.move(tile.x + tile.width * 1.5, tile.y + tile.height * 1.5, { steps: 6 });
    await archive.actionBar.getByText('4 selected').waitFor();
    await page.keyboard.press('Escape');
    await archive.actionBar.waitFor({ state: 'hidden' });
    await page.mouse.up();
    await page.mouse.move(view.x + 3, tile.y + 3);
    await page.mouse.down();
    await page.mouse.move(view.x + view.width - 30, view.y + view.height - 4, { steps: 6 });
    await page.waitForFunction(() => Number(document.querySelector('#action-bar')?.getAttribute('data-count')) > 60);
    await page.mouse.up();
    const count = Number(await archive.actionBar.getAttribute('data-count'));
    await page.keyboard.press('Home');
    await archive.actionBar.getByText('1 selected').waitFor();
    assert.ok(count < NOTES, 'no more than was drawn over');
  });

  it('a selection by rule is weighed and taken out by the server', async () => {
    const { page } = opened;
    await archive.openCollection(places.get('Studio/Music').id, 'list');
    await archive.settled();
    await archive.entry('note 2.txt').click();
    await page.keyboard.press('Shift+End');
    await archive.entry(`note ${NOTES}.txt`).click({ modifiers: ['Control'] });
    await archive.actionBar.getByText(`${NOTES - 2} selected ·`).waitFor();
    const { file } = await download(page, () => archive.actionBar.getByTestId('download-selection').click(), downloads);
    assert.equal(readZip(file).length, NOTES - 2);
    assert.ok(readFileSync(file).length > NOTES);
  });

  it('links to what is selected are copied', async () => {
    const { page } = opened;
    await opened.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await archive.entry(`note ${NOTES}.txt`).click();
    await page.keyboard.press('Control+c');
    await page.getByText('Link copied.').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await page.goto(link);
    await archive.viewer.getByText(`note ${NOTES}.txt`).first().waitFor();
    await archive.closeViewer();
  });

  it('what others add above is merged unseen, and what would come among the rows waits in a pill', async () => {
    const { page } = opened;
    await archive.openCollection(places.get('Studio/Music').id, 'list');
    await archive.settled();
    await archive.listing.hover();
    await page.mouse.wheel(0, 5000);
    await page.waitForURL(/at=\d+~\d+/);
    const seen = await firstSeen();
    const total = page.getByTestId('listing-total');
    await addAsOther('a first.txt');
    await total.getByText(`${NOTES + 1} assets`).waitFor();
    assert.deepEqual(await firstSeen(), seen, 'nothing moved');
    // Some rows below the first, wherever the order puts it.
    const among = `note ${Number(/\d+/.exec(seen.name)?.[0]) + 6} and a half.txt`;
    await addAsOther(among);
    await page.getByTestId('new-here').getByText('1 new one here').waitFor();
    assert.deepEqual(await firstSeen(), seen);
    await page.getByTestId('new-here').click();
    await archive.entry(among).waitFor();
    assert.deepEqual(await firstSeen(), seen, 'what was seen first still is');
  });

  /** As another program would. @param {string} name */
  async function addAsOther(name) {
    const where = new URLSearchParams({ filename: name });
    const answer = await opened.context.request.post(`${server.origin}/api/collections/${places.get('Studio/Music').id}/assets?${where}`, {
      data: name, headers: { 'Content-Type': 'application/octet-stream' },
    });
    assert.ok(answer.ok(), await answer.text());
  }

  /** The first asset seen and how far it is scrolled out. */
  async function firstSeen(page = opened.page) {
    return page.evaluate(() => {
      const top = Number(document.querySelector('#listing .scroll-box')?.getBoundingClientRect().top);
      const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.asset-row')]).filter((row) => row.checkVisibility() && row.getBoundingClientRect().bottom > top + 1);
      rows.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
      return { name: rows[0].title, px: Math.round(rows[0].getBoundingClientRect().top - top) };
    });
  }

  /** What the palette would do on Enter. */
  function marked() {
    return opened.page.locator('#palette-list [role="option"][aria-selected="true"]').innerText();
  }
});
