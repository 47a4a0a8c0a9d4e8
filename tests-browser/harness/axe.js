// What is in the way of people with assistive technology, and of those with small windows.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe objects to, one line each, and by how much the page scrolls sideways. @param {import('playwright-core').Page} page @returns {Promise<string[]>} */
export async function objections(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  // Not innerWidth: a telephone zooms out until everything fits.
  return page.evaluate(async (width) => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ['violations'] });
    const wide = document.documentElement.scrollWidth - width;
    return [...violations.flatMap((/** @type {any} */ { id, help, nodes }) => nodes.slice(0, 4).map((/** @type {any} */ { html, any }) => (
      `${id} (${help}): ${html.slice(0, 160)} ${(any[0]?.message ?? '').slice(0, 160)}`))),
    ...(wide > 0 ? [`scrolls sideways by ${wide} px`] : [])];
  }, page.viewportSize()?.width ?? 0);
}
