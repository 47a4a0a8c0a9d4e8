// Every screen in both themes and on a telephone: nothing that the accessibility rules of axe object to, nothing that scrolls
// sideways.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';

import { objections } from './harness/axe.js';
import { launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { addKinds, keepPicture, SCREENS, STAGES } from './harness/screens.js';
import { startServer } from './harness/server.js';
import { makeStudio } from './harness/studio.js';

describe('every screen', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;

  before(async () => {
    browser = await launch();
    const studio = await makeStudio(browser);
    addKinds(studio);
    server = await startServer(studio);
    const { page, context } = await openPage(browser, server);
    const archive = new ArchivePage(page, server.origin);
    const travel = (await archive.get('/api/projects')).find((/** @type {any} */ { name }) => name === 'Travel');
    for (const name of ['Empty', ...STAGES.map(({ name }) => name)]) {
      const made = await page.context().request.post(`${server.origin}/api/collections`, { data: { project_id: travel.id, name } });
      assert.ok(made.ok());
    }
    await context.close();
  });

  afterEach(async () => {
    opened.trouble.assertNone();
    await opened.context.close();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const { name: stageName, options } of STAGES) {
    it(`is what assistive technology can use, and fits (${stageName})`, async () => {
      opened = await openPage(browser, server, options);
      const { page } = opened;
      // One screen shows what is not there, and one that nothing is.
      opened.trouble.expect(/status of 404|ERR_INTERNET_DISCONNECTED/);
      const archive = new ArchivePage(page, server.origin);
      const phone = stageName === 'phone' || stageName === 'zoomed';
      const stage = { archive, page, places: await archive.collections(), origin: server.origin, phone, name: stageName };
      /** @type {string[]} */
      const found = [];
      for (const screen of SCREENS.filter(({ wide }) => !(wide && phone))) {
        await screen.show(stage);
        await keepPicture(page, screen.name, stageName);
        found.push(...(await objections(page)).map((text) => `${screen.name}: ${text}`));
        await screen.leave?.(stage);
      }
      assert.deepEqual(found, []);
    });
  }
});
