// The page hands out the checkpoint, whole: what is copied and what is downloaded is the note that the server gives, and the
// command line finds the vault to be as it covers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';

import { download, launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

describe('the checkpoint on the page', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;

  before(async () => {
    browser = await launch();
    server = await startServer();
    opened = await openPage(browser, server);
    await new ArchivePage(opened.page, server.origin).create('Studio');
    await opened.page.goto(`${server.origin}/trust`);
    await opened.page.getByTestId('checkpoint').getByText('compactvault/').waitFor();
  });

  afterEach(() => opened.trouble.assertNone());

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('is copied as it is', async () => {
    await opened.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await opened.page.getByTestId('copy-checkpoint').click();
    await opened.page.getByText('Checkpoint copied.').waitFor();
    const copied = await opened.page.evaluate(() => navigator.clipboard.readText());
    const given = await opened.page.evaluate(async () => (await fetch('/api/checkpoint')).text());
    assert.equal(copied, given);
  });

  it('shows the words that the command line prints, and compares them', async () => {
    const { page } = opened;
    const shown = await page.getByTestId('log-words').locator('li').allInnerTexts();
    const printed = run(['checkpoint', '--words', '--state-dir', server.state], server).stdout;
    assert.equal(shown.length, 32);
    assert.equal(shown.join(' '), printed.trim().split(/\s+/).slice(-32).join(' '));
    const compare = page.getByTestId('compare');
    const result = page.getByTestId('compare-result');
    await compare.fill(printed);
    await result.getByText('The same: the first').waitFor();
    await compare.fill(shown.join(' '));
    await result.getByText('The same: the first').waitFor();
    await compare.fill(printed.replace(/size \d+/, 'size 9999'));
    await result.getByText('Not the same: the vault was rolled back').waitFor();
    // What is no checkpoint is refused, and the page says why.
    opened.trouble.expect(/status of 422.*compare/);
    await compare.fill([...shown.slice(0, 31), shown[0]].join(' '));
    await page.locator('#compare-result.warn').getByText(shown[0]).waitFor();
    await compare.fill('hello');
    await page.locator('#compare-result.warn').getByText('hello').waitFor();
  });

  it('is verified now, with what was read and found, and the status bar says so', async () => {
    const { page } = opened;
    await page.getByTestId('status-trust').getByText('Never verified').waitFor();
    await page.getByTestId('verify-now').click();
    await page.getByTestId('verify-words').getByText(/Ended .* 0 findings/).waitFor();
    await page.getByTestId('trust-verdict').getByText('Everything was as sealed, just now').waitFor();
    await page.getByTestId('status-trust').getByText('Verified just now').waitFor();
    await page.reload();
    await page.getByTestId('status-trust').getByText('Verified just now').waitFor();
  });

  it('is printed as a sheet of words to compare, and nothing else', async () => {
    const { page } = opened;
    const words = await page.getByTestId('log-words').locator('li').allInnerTexts();
    await page.emulateMedia({ media: 'print' });
    assert.ok(await page.getByTestId('log-words').isVisible());
    assert.ok(await page.getByText(/vault [0-9a-f-]{32,36}: \d+ entr/).isVisible(), 'it says of which vault, and when');
    for (const id of ['verify-now', 'search-field', 'tree', 'checkpoint', 'print-checkpoint']) assert.ok(await page.getByTestId(id).first().isHidden(), `${id} is not on paper`);
    const pdf = await page.pdf({ format: 'A4' });
    assert.ok(words.length === 32 && pdf.length > 5_000 && (pdf.toString('latin1').match(/\/Type\s*\/Page\b/g) ?? []).length === 1, 'one sheet');
    await page.emulateMedia({ media: null });
  });

  it('is downloaded so that verify --against takes it', async () => {
    const { file } = await download(opened.page, () => opened.page.getByTestId('download-checkpoint').click(), temporaryFolder('kept'));
    const given = await opened.page.evaluate(async () => (await fetch('/api/checkpoint')).text());
    assert.equal(readFileSync(file, 'utf8'), given);
    const said = run(['verify', '--state-dir', server.state, '--against', file], server);
    assert.equal(said.status, 0, said.stderr);
    assert.match(said.stdout, /those that it covers/);
  });
});
