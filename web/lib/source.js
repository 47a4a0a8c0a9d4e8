// What a listing shows, by index: first the collections (or projects) of a place, then its assets, of which only windows
// are at hand. Keeps the listing live without moving it under the person.

import { WINDOW_SIZE, WindowCache } from './window_cache.js';

const LOCATE_STEP = 1000;
const LOCATE_TRIES = 5;

/**
 * @typedef {import('../api.js').Asset} Asset
 * @typedef {import('../api.js').AssetPage} AssetPage
 * @typedef {{folder: any, asset?: undefined} | {asset: Asset, folder?: undefined}} Entry
 * @typedef {(offset: number, limit: number, signal?: AbortSignal) => Promise<AssetPage>} FetchAssets
 */

/** Fires `arrive` when rows did, `fail` with the error. */
export class Source extends EventTarget {
  constructor() {
    super();
    /** @type {any[]} */
    this.folders = [];
    /** @type {FetchAssets | null} */
    this.fetchAssets = null;
    /** @type {AssetPage | null} totals as last heard */
    this.page = null;
    /** @type {WindowCache<Asset>} */
    this.cache = new WindowCache(async () => ({ items: [], total: 0 }), {
      onArrive: (answer) => this.heard(answer.page),
      onFail: (error) => this.dispatchEvent(new CustomEvent('fail', { detail: error })),
    });
  }

  /** Another question. @param {FetchAssets | null} fetchAssets null where the place holds no assets itself */
  ask(fetchAssets) {
    this.fetchAssets = fetchAssets;
    this.page = null;
    this.cache.reset(async (offset, limit, signal) => {
      if (!fetchAssets) return { items: [], total: 0, page: null };
      const page = await fetchAssets(offset, limit, signal);
      return { items: page.assets, total: page.total, page };
    });
  }

  /** @param {AssetPage | null} page */
  heard(page) {
    this.page = page;
    this.dispatchEvent(new CustomEvent('arrive'));
  }

  /** Assets in the listing; 0 until known. */
  get assets() {
    return this.fetchAssets ? this.cache.total : 0;
  }

  get length() {
    return this.folders.length + this.assets;
  }

  /** Is it known how long the listing is? */
  get known() {
    return !this.fetchAssets || this.cache.known;
  }

  /** @param {number} index @returns {Entry | undefined} undefined while it is on its way */
  get(index) {
    if (index < this.folders.length) return { folder: this.folders[index] };
    const asset = this.cache.get(index - this.folders.length);
    return asset && { asset };
  }

  /** @param {number} index of the entry; the spot of its asset for the selection @returns {import('./selection.js').Spot | null} */
  spot(index) {
    const asset = this.get(index)?.asset;
    return asset ? { index: index - this.folders.length, id: asset.id } : null;
  }

  /** @param {number} first @param {number} last */
  want(first, last) {
    if (!this.fetchAssets || last < this.folders.length - 1) return;
    this.cache.want(Math.max(0, first - this.folders.length), Math.max(0, last - this.folders.length));
  }

  /**
   * Asks again for the rows looked at. Resolves to how many assets came or went, or null if something newer overtook it.
   * @param {number} first @param {number} last
   */
  async refresh(first, last) {
    if (!this.fetchAssets || !this.cache.known) return null;
    const before = this.cache.total;
    const from = Math.max(0, first - this.folders.length);
    const answers = await this.cache.refresh(from, Math.max(from, last - this.folders.length));
    if (!answers) return null;
    this.page = /** @type {any} */ (answers[0]).page;
    return this.cache.total - before;
  }

  /**
   * Where an asset stands after `grown` others were sealed: the log only grows, so it can only have moved down, by at most
   * that many. Null if it is not to be found there.
   * @param {import('./selection.js').Spot} spot @param {number} grown
   */
  async locate(spot, grown) {
    if (this.cache.get(spot.index)?.id === spot.id) return spot.index;
    const end = spot.index + Math.max(0, grown);
    let at = Math.max(0, spot.index - WINDOW_SIZE / 2);
    for (let tries = 0; tries < LOCATE_TRIES && at <= end && this.fetchAssets; tries += 1) {
      const page = await this.fetchAssets(at, LOCATE_STEP);
      const found = page.assets.findIndex((asset) => asset.id === spot.id);
      if (found >= 0) return at + found;
      at += LOCATE_STEP;
    }
    return null;
  }

  /**
   * The first asset whose name is not before the prefix, where the listing is sorted by name: a binary search over the
   * server's own order, some twenty small questions for a million assets.
   * @param {string} prefix @param {boolean} descending
   */
  async findPrefix(prefix, descending) {
    if (!this.fetchAssets) return null;
    const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
    let lo = 0;
    let hi = this.cache.total;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      const asset = this.cache.get(mid) ?? (await this.fetchAssets(mid, 1)).assets[0];
      if (!asset) break;
      const order = collator.compare(asset.filename, prefix);
      if (descending ? order > 0 : order < 0) lo = mid + 1;
      else hi = mid;
    }
    return lo < this.cache.total ? this.nearestPrefix(prefix, lo) : null;
  }

  /** The server's order may differ from ours in small things: looks around for a name that does begin so. @param {string} prefix @param {number} at */
  async nearestPrefix(prefix, at) {
    const from = Math.max(0, at - WINDOW_SIZE / 2);
    const words = prefix.toLocaleLowerCase();
    const page = await /** @type {FetchAssets} */ (this.fetchAssets)(from, WINDOW_SIZE);
    const begins = (/** @type {number} */ index) => page.assets[index - from]?.filename.toLocaleLowerCase().startsWith(words);
    if (begins(at)) return at;
    const found = page.assets.findIndex((_, i) => begins(from + i));
    return found < 0 ? at : from + found;
  }
}
