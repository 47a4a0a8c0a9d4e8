// What stands before the archive: the sign-in of a server with a password, and the choice where a folder holds several vaults.
// Both are pages of their own, held against the same rules as the screens behind them.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import { objections } from './harness/axe.js';
import { launch, openPage } from './harness/browser.js';
import { keepPicture, STAGES } from './harness/screens.js';
import { run, startServer, temporaryFolder } from './harness/server.js';

const PASSWORD = 'a lighthouse, four gulls';

describe('before the archive', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;

  before(async () => {
    browser = await launch();
  });

  afterEach(async () => {
    opened.trouble.assertNone();
    await opened.context.close();
  });

  after(async () => {
    await browser?.close();
  });

  describe('the sign-in', () => {
    /** @type {import('./harness/server.js').Server} */
    let server;

    before(async () => {
      server = await startServer({ password: PASSWORD });
    });

    after(() => server?.stop());

    it('leads to where one wanted to go, says when the password is wrong, and ends by signing out', async () => {
      opened = await openPage(browser, server);
      const { page } = opened;
      opened.trouble.expect(/status of 40[13]/);
      await page.goto(`${server.origin}/trust`);
      assert.ok(await page.getByTestId('password').evaluate((field) => field === document.activeElement), 'one can type at once');
      await page.keyboard.type('four gulls');
      await page.keyboard.press('Enter');
      await page.getByTestId('message').getByText(/password/i).waitFor();
      assert.deepEqual(await objections(page), []);
      await page.getByTestId('password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Show' }).click();
      assert.equal(await page.getByTestId('password').getAttribute('type'), 'text');
      await page.getByTestId('sign-in-button').click();
      await page.getByTestId('checkpoint').getByText('compactvault/').waitFor();
      assert.equal(new URL(page.url()).pathname, '/trust');
      await page.getByTestId('more-menu').click();
      await page.getByTestId('sign-out').click();
      await page.getByTestId('password').waitFor();
      const answer = await page.request.get(`${server.origin}/api/status`);
      assert.equal(answer.status(), 401, 'the session is over');
    });

    for (const { name, options } of STAGES) {
      it(`is what assistive technology can use, and fits (${name})`, async () => {
        opened = await openPage(browser, server, options);
        opened.trouble.expect(/status of 401/);
        await opened.page.getByTestId('password').waitFor();
        await keepPicture(opened.page, 'sign-in', name);
        assert.deepEqual(await objections(opened.page), []);
      });
    }
  });

  describe('the choice of a vault', () => {
    /** @type {import('./harness/server.js').Server} */
    let server;

    before(async () => {
      const folder = temporaryFolder('served');
      const state = temporaryFolder('state');
      for (const vault of ['films.vault', 'photographs.vault']) {
        const done = run(['init', path.join(folder, vault)], { folder, state });
        assert.equal(done.status, 0, done.stdout + done.stderr);
      }
      writeFileSync(path.join(folder, 'letters.vault'), 'these are not the bytes of a vault');
      server = await startServer({ folder, state });
    });

    after(() => server?.stop());

    for (const { name, options } of STAGES) {
      it(`is what assistive technology can use, and fits (${name})`, async () => {
        opened = await openPage(browser, server, options);
        await opened.page.locator('#vaults button').first().waitFor();
        await keepPicture(opened.page, 'vaults', name);
        assert.deepEqual(await objections(opened.page), []);
      });
    }

    it('says of a file that it is no vault, refuses a name that is taken, and opens what is chosen', async () => {
      opened = await openPage(browser, server);
      const { page } = opened;
      await page.locator('.unusable').getByText('not a vault').waitFor();
      await page.locator('#vaults button').filter({ hasText: 'photographs.vault' }).click();
      await page.getByTestId('new-project').waitFor();
      const status = await (await page.request.get(`${server.origin}/api/status`)).json();
      assert.equal(status.vault.name, 'photographs.vault');
    });
  });
});
