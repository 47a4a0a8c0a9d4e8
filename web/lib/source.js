// What a listing shows, by index: first the collections (or projects) of a place, then its assets, of which only windows
// are at hand. Keeps the listing live without moving it under the person.

import { Emitter } from './emitter.js';
import { windowCache } from './window_cache.js';

/** Ids the server ranks in one question. */
const RANKS_MOST = 200;

/**
 * @typedef {import('../api.js').Asset} Asset
 * @typedef {import('../api.js').AssetPage} AssetPage
 * @typedef {{folder: any, asset?: undefined} | {asset: Asset, folder?: undefined}} Entry
 * @typedef {(offset: number, limit: number, signal?: AbortSignal) => Promise<AssetPage>} FetchAssets
 * @typedef {(what: {ids?: number[], prefix?: string}) => Promise<import('../api.js').Ranks>} FetchRanks
 */

/** Fires `arrive` when rows did, `fail` with the error. */
export class Source extends Emitter {
  /** @type {any[]} */
  folders = [];
  /** @type {FetchAssets | null} */
  fetchAssets = null;
  /** @type {FetchRanks | null} */
  fetchRanks = null;
  /** @type {AssetPage | null} totals as last heard */
  page = null;
  /** @type {import('./window_cache.js').WindowCache<Asset>} */
  cache = windowCache(async () => ({ items: [], total: 0 }), {
    onArrive: ({ page }) => {
      this.page = page;
      this.emit('arrive');
    },
    onFail: (error) => this.emit('fail', error),
  });

  /** Another question. @param {FetchAssets | null} fetchAssets null where the place holds no assets itself @param {FetchRanks | null} fetchRanks */
  ask(fetchAssets, fetchRanks) {
    this.fetchAssets = fetchAssets;
    this.fetchRanks = fetchRanks;
    this.page = null;
    this.cache.reset(async (offset, limit, signal) => {
      if (!fetchAssets) return { items: [], total: 0, page: null };
      const page = await fetchAssets(offset, limit, signal);
      return { items: page.assets, total: page.total, page };
    });
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

  /** Where assets stand among the assets of the listing as it is now, null for those no longer in it. @param {number[]} ids */
  async ranks(ids) {
    /** @type {Map<number, number | null>} */
    const at = new Map();
    let total = 0;
    for (let from = 0; from < ids.length && this.fetchRanks; from += RANKS_MOST) {
      const some = ids.slice(from, from + RANKS_MOST);
      const answer = await this.fetchRanks({ ids: some });
      some.forEach((id, i) => at.set(id, answer.ranks[i]));
      total = answer.total;
    }
    return { at, total };
  }

  /** What is known of an asset from the rows at hand. @param {number} id @returns {Asset | null} */
  find(id) {
    for (const items of this.cache.windows.values()) {
      const found = items.find((asset) => asset.id === id);
      if (found) return found;
    }
    return null;
  }

  /** Where an asset stands in the listing, -1 where it does not or that cannot be asked. @param {number} id */
  async indexOf(id) {
    const rank = (await this.ranks([id]).catch(() => null))?.at.get(id) ?? null;
    return rank === null ? -1 : this.folders.length + rank;
  }
}
