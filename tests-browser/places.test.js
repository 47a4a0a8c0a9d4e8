// Projects and collections are made in the page, anywhere in the tree, without a dialog of the browser's; what was made is
// there after a reload, and what was not confirmed is not.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { assertOneVaultAlone, startServer, temporaryFolder } from './harness/server.js';

describe('places made in the page', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;
  /** @type {ArchivePage} */
  let archive;

  before(async () => {
    browser = await launch();
    server = await startServer();
    opened = await openPage(browser, server);
    archive = new ArchivePage(opened.page, server.origin);
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
  });

  it('nest as deep as one likes', async () => {
    await archive.create('Studio');
    await archive.create('Music', 'Studio');
    await archive.create('2024', 'Music');
    await archive.create('Spring', '2024');
    await archive.create('Pictures', 'Studio');
    const paths = [...(await archive.collections()).keys()].sort();
    assert.deepEqual(paths, ['Studio/Music', 'Studio/Music/2024', 'Studio/Music/2024/Spring', 'Studio/Pictures']);
  });

  it('say where one is, and are there after a reload', async () => {
    await archive.place('Spring').click();
    await opened.page.getByTestId('path').getByText('Spring').waitFor();
    await opened.page.reload();
    await opened.page.getByTestId('path').getByText('Spring').waitFor();
    const path = (await opened.page.getByTestId('path').innerText()).replace(/\s+/g, ' ');
    assert.match(path, /Studio.*Music.*2024.*Spring/);
  });

  it('are not made by leaving the field', async () => {
    await opened.page.getByTestId('new-project').click();
    await opened.page.locator('.name-field input').last().fill('Never meant');
    await opened.page.keyboard.press('Escape');
    assert.equal(await archive.place('Never meant').count(), 0);
    const names = (await archive.get('/api/projects')).map((/** @type {any} */ project) => project.name);
    assert.deepEqual(names, ['Studio']);
  });

  it('say what is wrong with a name, beside it', async () => {
    opened.trouble.expect(/status of 400/);
    await opened.page.getByTestId('new-project').click();
    await opened.page.locator('.name-field input').last().fill('a/b');
    await opened.page.keyboard.press('Enter');
    await opened.page.locator('.name-field .problem').last().getByText(/\S/).waitFor();
    await opened.page.keyboard.press('Escape');
    assert.equal((await archive.get('/api/projects')).length, 1);
  });

  it('take a file dropped on them', async () => {
    const file = path.join(temporaryFolder('dropped'), 'song.txt');
    writeFileSync(file, 'la la la\n');
    await archive.place('Spring').click();
    await opened.page.getByTestId('path').getByText('Spring').waitFor();
    await archive.add([file]);
    const account = await archive.account(60_000);
    assert.deepEqual([account.found, account.sealed, account.failed], [1, 1, 0], account.text);
    await archive.entry('song.txt').waitFor();
    const spring = (await archive.collections()).get('Studio/Music/2024/Spring');
    const [asset] = await archive.assetsOf(spring.id);
    assert.equal(String(await archive.bytes(asset.id)), 'la la la\n');
  });

  it('leave one file behind', async () => {
    await opened.page.close();
    await server.stop();
    assertOneVaultAlone(server.folder);
  });
});
