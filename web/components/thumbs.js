// Pictures of tiles: at most three on their way, what can be seen first, and none for a tile that has left the screen. A
// server that is busy making others is asked again later; what has no picture stays as it is drawn without one.

import { addressOf, api } from '../api.js';
import { h, soon } from '../lib/html.js';
import { keyOfPlace, kindOfPlace } from '../lib/tree_model.js';

const AT_ONCE = 3;
const BUSY_TRIES = 6;
const BUSY_LEAST_MS = 1000;
/** Pictures on a folder, folders remembered, and how long one has to stay in place before it is asked about. */
const FOLDER_PICTURES = 4;
const FOLDERS_KEPT = 500;
const FOLDER_REST_MS = 150;
/** A picture the browser can show and the server cannot make small is shown as it is, up to this size. */
const ORIGINAL_BYTES_MAX = 2_000_000;

/**
 * The address of an asset's picture for a place this wide, '' where there can be none.
 * @param {import('../api.js').Asset} asset @param {number} px CSS pixels of the longer side
 */
export function pictureOf(asset, px) {
  if (asset.size_original === 0) return '';
  if (asset.thumbnail) return addressOf.thumbnail(asset.id, px * (globalThis.devicePixelRatio || 1) > 256 ? 512 : 256);
  return asset.media_type.startsWith('image/') && asset.size_original <= ORIGINAL_BYTES_MAX ? addressOf.bytes(asset.id) : '';
}

/** Where a thumbnail goes. */
export function pictureElement() {
  return h('img.picture', { alt: '', decoding: 'async', draggable: 'false' });
}

export class Thumbs {
  /** @type {Map<HTMLImageElement, string>} insertion order is the order of asking */
  waiting = new Map();
  /** @type {Set<HTMLImageElement>} */
  running = new Set();
  /** Addresses that have no picture after all. @type {Set<string>} */
  broken = new Set();
  /** How often an address was put off. @type {Map<string, number>} */
  tries = new Map();
  /** @type {WeakSet<Element>} */
  seen = new WeakSet();
  held = false;
  /** CSS pixels of a tile's longer side. */
  px = 160;
  /** @type {Map<string, Promise<import('../api.js').Asset[] | null>>} */
  folders = new Map();
  /** @type {Promise<any>} one question at a time */
  folderTurn = Promise.resolve();

  constructor() {
    /** After the drawing that asked: then it is known what can be seen. */
    this.soon = soon(() => setTimeout(() => this.advance()));
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.seen.add(target);
        else this.seen.delete(target);
      }
    });
  }

  /** @param {HTMLImageElement} image @param {string} address '' for none */
  request(image, address) {
    if ((image.dataset.address ?? '') === address) return;
    this.cancel(image);
    if (address === '' || this.broken.has(address)) return;
    image.dataset.address = address;
    this.observer.observe(image);
    this.waiting.set(image, address);
    this.soon();
  }

  /** The picture of an asset, so many pixels wide; of none, none. @param {HTMLImageElement} image @param {any} asset @param {number} px */
  draw(image, asset, px) {
    this.request(image, asset ? pictureOf(asset, px) : '');
  }

  /** @param {HTMLImageElement} image */
  cancel(image) {
    if (!image.dataset.address) return;
    this.waiting.delete(image);
    this.observer.unobserve(image);
    this.seen.delete(image);
    if (this.running.delete(image) || image.hasAttribute('src')) image.removeAttribute('src');
    image.classList.remove('ready');
    delete image.dataset.address;
    this.soon();
  }

  /**
   * The first pictures in a folder and below it, once it stayed in place for a moment.
   * @param {any} folder a project or a collection @param {() => boolean} still is it looked at? @param {(assets: import('../api.js').Asset[]) => void} show
   */
  inside(folder, still, show) {
    const { id, assets, collections } = folder;
    const key = `${keyOfPlace(folder)}:${assets}:${collections}`;
    const question = { limit: FOLDER_PICTURES, q: 'type:image' };
    setTimeout(async () => {
      if (!still()) return;
      if (!this.folders.has(key)) {
        const found = this.folderTurn.then(async () => (still() ? (await api.assets({ kind: kindOfPlace(folder), id }, question)).assets : null)).catch(() => null);
        this.folderTurn = found;
        this.folders.set(key, found);
        found.then((pictures) => pictures ?? this.folders.delete(key));
        const [oldest] = this.folders.keys();
        if (this.folders.size > FOLDERS_KEPT) this.folders.delete(oldest);
      }
      const pictures = await this.folders.get(key);
      if (pictures && still()) show(pictures);
    }, this.folders.has(key) ? 0 : FOLDER_REST_MS);
  }

  /** Nothing new begins while the list flies past. @param {boolean} held */
  hold(held) {
    this.held = held;
    if (!held) this.soon();
  }

  advance() {
    while (!this.held && this.running.size < AT_ONCE && this.waiting.size > 0) {
      const image = this.waiting.keys().find((each) => this.seen.has(each)) ?? this.waiting.keys().next().value;
      // A row kept for later use is drawn nowhere; it will ask again for what it shows then.
      if (!this.seen.has(image) && !image.checkVisibility()) this.cancel(image);
      else this.start(image);
    }
  }

  /** @param {any} image */
  start(image) {
    const address = this.waiting.get(image) ?? '';
    this.waiting.delete(image);
    this.running.add(image);
    const wanted = () => image.dataset.address === address;
    const done = () => {
      if (this.running.delete(image)) this.advance();
    };
    image.onload = () => {
      if (!wanted()) return;
      image.classList.add('ready');
      this.tries.delete(address);
      done();
    };
    image.onerror = async () => {
      if (!wanted()) return;
      image.removeAttribute('src');
      const { status, retryAfter } = await api.tell(address).catch(() => ({ status: 0, retryAfter: 0 }));
      const tries = (this.tries.get(address) ?? 0) + 1;
      this.tries.set(address, tries);
      if (tries > BUSY_TRIES || ![0, 429, 503].includes(status)) this.broken.add(address);
      else if (wanted()) setTimeout(() => wanted() && this.again(image, address), Math.max(retryAfter * 1000, BUSY_LEAST_MS * tries));
      if (wanted()) done();
    };
    image.src = address;
  }

  /** @param {HTMLImageElement} image @param {string} address */
  again(image, address) {
    if (this.running.has(image)) return;
    this.waiting.set(image, address);
    this.advance();
  }
}
