// Every screen in both themes and on a telephone: nothing that the accessibility rules of axe object to, nothing that scrolls
// sideways. UPDATE_SCREENS=1 keeps a picture of each in docs/screens.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch, openPage } from './harness/browser.js';
import { ArchivePage } from './harness/page.js';
import { SCREENS } from './harness/screens.js';
import { startServer } from './harness/server.js';
import { makeStudio } from './harness/studio.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = fileURLToPath(new URL('../docs/screens/', import.meta.url));
const UPDATE = Boolean(process.env.UPDATE_SCREENS);

/** Those whose pictures are kept; the others look much the same. */
const KEPT = ['light', 'dark', 'phone'];

const STAGES = /** @type {const} */ ([
  { name: 'light', options: { colorScheme: 'light' } },
  { name: 'dark', options: { colorScheme: 'dark' } },
  { name: 'phone', options: { colorScheme: 'light', viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } },
  // 1,280 by 1,024 pixels at 400 %, as WCAG 2.2 (1.4.10) has it.
  { name: 'zoomed', options: { viewport: { width: 320, height: 256 } } },
  { name: 'forced-colours', options: { forcedColors: 'active' } },
]);

describe('every screen', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./harness/server.js').Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof openPage>>} */
  let opened;

  before(async () => {
    browser = await launch();
    server = await startServer(await makeStudio(browser));
    if (UPDATE) mkdirSync(PICTURES, { recursive: true });
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
      // One screen shows what is not there.
      opened.trouble.expect(/status of 404/);
      const archive = new ArchivePage(page, server.origin);
      const phone = stageName === 'phone' || stageName === 'zoomed';
      const stage = { archive, page, places: await archive.collections(), origin: server.origin, phone, name: stageName };
      /** @type {string[]} */
      const found = [];
      for (const screen of SCREENS.filter(({ wide }) => !(wide && phone))) {
        await screen.show(stage);
        if (UPDATE && KEPT.includes(stageName)) await page.screenshot({ path: path.join(PICTURES, `${screen.name}-${stageName}.png`), animations: 'disabled', caret: 'hide' });
        found.push(...(await objections(page)).map((text) => `${screen.name}: ${text}`));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) found.push(`${screen.name}: scrolls sideways by ${wide} px`);
        await screen.leave?.(stage);
      }
      assert.deepEqual(found, []);
    });
  }
});

/** What axe finds, one line each. @param {import('playwright-core').Page} page @returns {Promise<string[]>} */
async function objections(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap((/** @type {any} */ { id, help, nodes }) => nodes.slice(0, 4).map((/** @type {any} */ { html, any }) => (
      `${id} (${help}): ${html.slice(0, 160)} ${(any[0]?.message ?? '').slice(0, 160)}`)));
  });
}
