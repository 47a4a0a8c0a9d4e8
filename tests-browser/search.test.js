// One search field: what is typed is looked for in the place shown and all below it, or in the whole vault, and the best
// matches come first. A hit says where it lies and leads there.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';

import { launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { startServer } from './harness/server.js';

/** @type {Record<string, string[]>} by place */
const FILES = {
  'Studio/Textures': ['bark.png', 'old bark.txt', 'embark.txt', 'stone.txt'],
  'Studio/Textures/Trees': ['bark 2.txt', 'leaf.txt'],
  'Sounds/Dogs': ['bark.ogg', 'Bärk loud.ogg', 'whine.ogg'],
};

describe('searching', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;
  /** @type {Map<string, any>} */
  let collections;

  /** Adds a file as a script would. @param {string} place @param {string} name */
  async function add(place, name) {
    const [project, ...folders] = place.split('/');
    const made = await post('/api/projects', { name: project });
    const collection = await post('/api/collections', { project_id: made.id, name: folders[0] });
    const where = new URLSearchParams({ filename: name, path: folders.slice(1).join('/') });
    await post(`/api/collections/${collection.id}/assets?${where}`, `${place}/${name}`, 'application/octet-stream');
  }

  /** @param {string} path @param {any} data @param {string} [type] */
  async function post(path, data, type = 'application/json') {
    const answer = await opened.page.context().request.post(server.origin + path, { data, headers: { 'Content-Type': type } });
    assert.ok(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
  }

  /** What is listed, each with where it lies. */
  async function hits() {
    return archive.assets.evaluateAll((rows) => rows.map((row) => (
      /** @type {[string, string]} */ ([row.title, row.querySelector('.where')?.textContent ?? ''])
    )));
  }

  before(async () => {
    browser = await launch();
    server = await startServer();
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
    for (const [place, names] of Object.entries(FILES)) for (const name of names) await add(place, name);
    collections = await archive.collections();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('finds names anywhere in the vault from its front page, the best first', async () => {
    await archive.goto('/?as=list');
    await archive.search('BARK');
    assert.deepEqual((await archive.drawn()).map(({ name }) => name), [
      'bark.ogg', 'bark.png', 'bark 2.txt', 'Bärk loud.ogg', 'old bark.txt', 'embark.txt',
    ]);
    const places = new Map(await hits());
    assert.equal(places.get('bark.ogg'), 'Sounds/Dogs');
    assert.equal(places.get('bark 2.txt'), 'Studio/Textures/Trees');
  });

  it('can be ordered as any list, and goes back to names when it ends', async () => {
    await opened.page.getByTestId('sort').selectOption('name');
    await archive.addressSays('sort', 'name');
    await archive.settled();
    assert.equal((await archive.drawn()).at(-1)?.name, 'old bark.txt');
    await opened.page.getByTestId('search-field').fill('');
    await archive.addressSays('q', '');
    await archive.settled();
    assert.equal(await archive.folders.count(), 2);
    assert.equal(await archive.assets.count(), 0);
  });

  it('stays within a place and what lies below it, and says what the vault has besides', async () => {
    const { id } = collections.get('Studio/Textures');
    await archive.openCollection(id);
    await archive.search('bark');
    assert.deepEqual((await archive.drawn()).map(({ name }) => name), ['bark.png', 'bark 2.txt', 'old bark.txt', 'embark.txt']);
    const wider = opened.page.getByTestId('search-vault');
    assert.match(await wider.innerText(), /In the whole vault\s+6/);
    await wider.click();
    await opened.page.waitForURL(/\/\?.*q=bark/);
    await archive.settled();
    assert.equal(await archive.assets.count(), 6);
    assert.equal(await opened.page.getByTestId('search-field').inputValue(), 'bark');
  });

  it('offers the whole vault where a place has nothing', async () => {
    await archive.openCollection(collections.get('Sounds/Dogs').id);
    await archive.search('stone');
    await opened.page.getByTestId('no-match').waitFor();
    const wider = opened.page.getByTestId('search-wider');
    assert.match(await wider.innerText(), /Search the whole vault \(1\)/);
    await wider.click();
    await archive.entry('stone.txt').waitFor();
  });

  it('leads from a hit to its place', async () => {
    await archive.entry('stone.txt').click();
    if (!await archive.details.isVisible()) await opened.page.getByTestId('toggle-details').click();
    await archive.details.getByTestId('details-path').click();
    await opened.page.waitForURL(new RegExp(`/c/${collections.get('Studio/Textures').id}`));
    await archive.entry('stone.txt').waitFor();
  });

  it('shows what is sealed while one looks', async () => {
    await archive.goto('/?as=list&q=bark');
    await archive.settled();
    assert.equal(await archive.assets.count(), 6);
    await add('Sounds/Dogs', 'bark at night.ogg');
    await archive.entry('bark at night.ogg').waitFor();
    assert.equal(await archive.assets.count(), 7);
  });

  it('lists all assets of a type, without a word', async () => {
    await archive.goto(`/p/${collections.get('Sounds/Dogs').project_id}?as=list&type=audio`);
    await archive.settled();
    assert.equal(await archive.assets.count(), 4);
  });
});
