// The page as a person uses it: what is on the screen by its test name, and the gestures. The only file that knows those
// names, so that a page drawn differently is one file to change.

import assert from 'node:assert/strict';

import { drop } from './browser.js';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {{index: number, id: number, name: string}} Row */

export class ArchivePage {
  /** @param {Page} page @param {string} origin */
  constructor(page, origin) {
    this.page = page;
    this.origin = origin;
    this.listing = page.getByTestId('listing');
    // Rows kept for later use stay in the tree of elements, unseen.
    this.assets = page.locator('.asset-row').filter({ visible: true });
    this.folders = page.locator('.folder-row').filter({ visible: true });
    this.details = page.getByTestId('details');
    this.viewer = page.getByTestId('viewer');
    this.actionBar = page.getByTestId('action-bar');
    this.uploads = page.getByTestId('upload-panel');
    this.tree = page.getByTestId('tree');
  }

  /** @param {string} address path with query */
  async goto(address) {
    await this.page.goto(this.origin + address);
    await this.page.getByTestId('path').getByText(/\S/).last().waitFor();
  }

  /** @param {number} id of a collection @param {'list' | 'grid'} [as] */
  async openCollection(id, as = 'list') {
    await this.goto(`/c/${id}?as=${as}`);
  }

  /** @param {string[]} paths */
  async drop(paths) {
    await drop(this.page, this.page.locator('#main'), paths);
  }

  /** Drops, reads what was found, and archives it with the one button. @param {string[]} paths */
  async add(paths) {
    await this.drop(paths);
    await this.page.getByTestId('drop-start').click();
  }

  /** The place in the tree with exactly this name. @param {string} name */
  place(name) {
    const label = this.page.locator('.label', { hasText: new RegExp(`^${escaped(name)}$`) });
    return this.page.locator('.place').filter({ has: label });
  }

  /** The entry with exactly this name, as far as it is drawn. @param {string} name */
  entry(name) {
    return this.listing.locator(`[title="${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"]`).filter({ visible: true });
  }

  /** Makes a project, or a collection in a place, by keyboard in the field the page offers. @param {string} name @param {string | null} inside */
  async create(name, inside = null) {
    if (inside === null) {
      await this.page.getByTestId('new-project').click();
    } else {
      await this.place(inside).hover();
      await this.place(inside).locator('.plus').click();
    }
    await this.page.locator('.name-field input').last().fill(name);
    await this.page.keyboard.press('Enter');
    await this.place(name).waitFor();
  }

  /** What is drawn of the listing just now, in order. @returns {Promise<Row[]>} */
  async drawn() {
    const rows = await this.assets.evaluateAll((elements) => elements.map((element) => ({
      index: Number(element.dataset.index), id: Number(element.dataset.id), name: element.title,
    })));
    return rows.sort((a, b) => a.index - b.index);
  }

  /** Scrolls from the top to the end with the wheel and returns every asset that came by, in order. @returns {Promise<Row[]>} */
  async pageThrough() {
    const box = this.listing.locator('.scroll-box');
    await this.assets.first().waitFor();
    await box.hover();
    const seen = new Map();
    for (let resting = 0; resting < 3;) {
      await this.settled();
      for (const row of await this.drawn()) seen.set(row.index, row);
      const before = await box.evaluate((element) => element.scrollTop);
      await this.page.mouse.wheel(0, 400);
      await this.page.waitForTimeout(60);
      const after = await box.evaluate((element) => element.scrollTop);
      resting = after === before ? resting + 1 : 0;
    }
    return [...seen.values()].sort((a, b) => a.index - b.index);
  }

  /** Types into the search field and waits for the listing to follow. @param {string} text */
  async search(text) {
    await this.page.getByTestId('search-field').fill(text);
    await this.addressSays('q', text);
    await this.settled();
  }

  /** Waits until the address carries this value; every state of the page has an address. @param {string} name @param {string} value */
  async addressSays(name, value) {
    await this.page.waitForFunction(([key, wanted]) => (
      (new URLSearchParams(location.search).get(key) ?? '') === wanted
    ), [name, value]);
  }

  /** Nothing that can be seen of the listing is on its way. */
  async settled() {
    await this.page.waitForFunction(() => {
      const busy = document.getElementById('listing')?.getAttribute('aria-busy') !== 'false';
      const view = document.querySelector('#listing .scroll-box')?.getBoundingClientRect();
      const pending = [...document.querySelectorAll('.pending')].filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return view && bottom > view.top && top < view.bottom;
      });
      const note = document.getElementById('listing-note');
      const drawn = [...document.querySelectorAll('.asset-row, .folder-row')].some((row) => row.checkVisibility());
      return !busy && pending.length === 0 && (drawn || note?.hidden === false);
    });
  }

  /** Opens an asset over the listing. @param {string} name */
  async view(name) {
    await this.entry(name).first().dblclick();
    await this.page.locator('dialog#viewer[open]').waitFor();
  }

  async closeViewer() {
    await this.page.keyboard.press('Escape');
    await this.page.locator('dialog#viewer:not([open])').waitFor({ state: 'attached' });
  }

  /**
   * Waits until every file of the running upload has ended, and closes the account after reading it.
   * @param {number} patience_ms
   */
  async account(patience_ms) {
    const summary = this.page.getByTestId('upload-summary').and(this.page.locator('[data-finished="true"]'));
    await summary.waitFor({ timeout: patience_ms });
    const text = await summary.innerText();
    const [found, sealed, already, failed] = await summary.evaluate((element) => (
      ['found', 'sealed', 'already', 'failed'].map((figure) => Number(element.dataset[figure]))
    ));
    assert.equal(found, sealed + already + failed, `the account adds up: ${text}`);
    await this.page.getByTestId('upload-close').click();
    return { text, found, sealed, already, failed };
  }

  /** @param {string} path of the API */
  async get(path) {
    const answer = await this.page.context().request.get(this.origin + path);
    assert.equal(answer.status(), 200, `${path}: ${answer.status()}`);
    return answer.json();
  }

  /** @param {number} id */
  async bytes(id) {
    const answer = await this.page.context().request.get(`${this.origin}/api/assets/${id}`);
    assert.equal(answer.status(), 200);
    return answer.body();
  }

  /** Every collection by its path, project first. @returns {Promise<Map<string, any>>} */
  async collections() {
    const byPath = new Map();
    for (const project of await this.get('/api/projects')) {
      const list = await this.get(`/api/projects/${project.id}/collections`);
      const byId = new Map(list.map((/** @type {any} */ collection) => [collection.id, collection]));
      for (const collection of list) {
        const names = [];
        for (let at = collection; at; at = byId.get(at.parent_id)) names.unshift(at.name);
        byPath.set([project.name, ...names].join('/'), collection);
      }
    }
    return byPath;
  }

  /** Every asset of a collection, page by page. @param {number} id @returns {Promise<any[]>} */
  async assetsOf(id) {
    const all = [];
    for (;;) {
      const { assets, total } = await this.get(`/api/collections/${id}/assets?offset=${all.length}&limit=1000`);
      all.push(...assets);
      if (all.length >= total || assets.length === 0) return all;
    }
  }
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
