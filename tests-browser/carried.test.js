// The binary carries the page's files without comments and spare whitespace. They are the same programs and the same
// sheets as those in web/: a parser reads both, and the browser reads both.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';

import { launch, openPage } from './harness/browser.js';
import { startServer } from './harness/server.js';

const WEB = fileURLToPath(new URL('../web', import.meta.url));
const FILES = readdirSync(WEB, { recursive: true, encoding: 'utf8' }).filter((name) => !/^(tests|node_modules)\b/.test(name));

/** What a module does, without where it is written. @param {string} text */
function program(text) {
  const parsed = parse(text, { ecmaVersion: 'latest', sourceType: 'module' });
  // The value of a regular expression or of a big number says nothing in JSON; what it is made of stands beside it.
  return JSON.stringify(parsed, (key, value) => (['start', 'end', 'raw'].includes(key) || typeof value === 'bigint' ? undefined : value), 1);
}

/** @param {string} name */
const written = (name) => readFileSync(path.join(WEB, name), 'utf8');

describe('what the binary carries', () => {
  /** @type {Awaited<ReturnType<typeof startServer>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').Page} */
  let page;

  before(async () => {
    server = await startServer();
    browser = await launch();
    ({ page } = await openPage(browser, server));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** The files with this ending, as they are served. @param {string} ending @returns {Promise<[string, string][]>} */
  async function carried(ending) {
    const names = FILES.filter((name) => name.endsWith(ending));
    const texts = await page.evaluate((all) => {
      const app = /** @type {HTMLScriptElement} */ (document.querySelector('script[src$="/app.js"]')).src;
      return Promise.all(all.map(async (name) => (await fetch(new URL(name, app))).text()));
    }, names);
    return names.map((name, i) => [name, texts[i]]);
  }

  it('runs the modules as they are written', async () => {
    const modules = await carried('.js');
    assert.ok(modules.length > 50);
    for (const [name, text] of modules) assert.equal(program(text), program(written(name)), name);
  });

  it('looks as the sheets say', async () => {
    const sheets = await carried('.css');
    assert.ok(sheets.length > 5);
    for (const [name, text] of sheets) {
      const [served, source] = await page.evaluate((both) => both.map((css) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        // The browser keeps the spaces around commas and slashes that it is given.
        return [...sheet.cssRules].map((rule) => rule.cssText).join('\n').replace(/\s*([,/])\s*/g, '$1');
      }), [text, written(name)]);
      assert.equal(served, source, name);
    }
  });
});
