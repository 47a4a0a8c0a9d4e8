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

/** @typedef {ReturnType<typeof makeThumbs>} Thumbs */

export function makeThumbs() {
  /** Insertion order is the order of asking. @type {Map<HTMLImageElement, string>} */
  const waiting = new Map();
  /** @type {Set<HTMLImageElement>} */
  const running = new Set();
  /** Addresses that have no picture after all. @type {Set<string>} */
  const broken = new Set();
  /** How often an address was put off. @type {Map<string, number>} */
  const putOff = new Map();
  /** @type {WeakSet<Element>} */
  const seen = new WeakSet();
  let held = false;
  /** @type {Map<string, Promise<import('../api.js').Asset[] | null>>} */
  const folders = new Map();
  /** One question at a time. @type {Promise<any>} */
  let folderTurn = Promise.resolve();
  /** After the drawing that asked: then it is known what can be seen. */
  const advanceSoon = soon(() => setTimeout(advance));
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target);
      else seen.delete(target);
    }
  });

  /** @param {HTMLImageElement} image @param {string} address '' for none */
  function request(image, address) {
    if ((image.dataset.address ?? '') === address) return;
    cancel(image);
    if (address === '' || broken.has(address)) return;
    image.dataset.address = address;
    observer.observe(image);
    waiting.set(image, address);
    advanceSoon();
  }

  /** The picture of an asset, so many pixels wide; of none, none. @param {HTMLImageElement} image @param {any} asset @param {number} px */
  function draw(image, asset, px) {
    request(image, asset ? pictureOf(asset, px) : '');
  }

  /** @param {HTMLImageElement} image */
  function cancel(image) {
    if (!image.dataset.address) return;
    waiting.delete(image);
    observer.unobserve(image);
    seen.delete(image);
    if (running.delete(image) || image.hasAttribute('src')) image.removeAttribute('src');
    image.classList.remove('ready');
    delete image.dataset.address;
    advanceSoon();
  }

  /**
   * The first pictures in a folder and below it, once it stayed in place for a moment.
   * @param {any} folder a project or a collection @param {() => boolean} still is it looked at? @param {(assets: import('../api.js').Asset[]) => void} show
   */
  function inside(folder, still, show) {
    const { id, assets, collections } = folder;
    const key = `${keyOfPlace(folder)}:${assets}:${collections}`;
    const question = { limit: FOLDER_PICTURES, q: 'type:image' };
    setTimeout(async () => {
      if (!still()) return;
      if (!folders.has(key)) {
        const found = folderTurn.then(async () => (still() ? (await api.assets({ kind: kindOfPlace(folder), id }, question)).assets : null)).catch(() => null);
        folderTurn = found;
        folders.set(key, found);
        found.then((pictures) => pictures ?? folders.delete(key));
        const [oldest] = folders.keys();
        if (folders.size > FOLDERS_KEPT) folders.delete(oldest);
      }
      const pictures = await folders.get(key);
      if (pictures && still()) show(pictures);
    }, folders.has(key) ? 0 : FOLDER_REST_MS);
  }

  /** Nothing new begins while the list flies past. @param {boolean} yes */
  function hold(yes) {
    held = yes;
    if (!held) advanceSoon();
  }

  function advance() {
    while (!held && running.size < AT_ONCE && waiting.size > 0) {
      const image = waiting.keys().find((each) => seen.has(each)) ?? waiting.keys().next().value;
      // A row kept for later use is drawn nowhere; it will ask again for what it shows then.
      if (!seen.has(image) && !image.checkVisibility()) cancel(image);
      else start(image);
    }
  }

  /** @param {any} image */
  function start(image) {
    const address = waiting.get(image) ?? '';
    waiting.delete(image);
    running.add(image);
    const wanted = () => image.dataset.address === address;
    const done = () => {
      if (running.delete(image)) advance();
    };
    const again = () => {
      if (!wanted() || running.has(image)) return;
      waiting.set(image, address);
      advance();
    };
    image.onload = () => {
      if (!wanted()) return;
      image.classList.add('ready');
      putOff.delete(address);
      done();
    };
    image.onerror = async () => {
      if (!wanted()) return;
      image.removeAttribute('src');
      const { status, retryAfter } = await api.tell(address).catch(() => ({ status: 0, retryAfter: 0 }));
      const tries = (putOff.get(address) ?? 0) + 1;
      putOff.set(address, tries);
      if (tries > BUSY_TRIES || ![0, 429, 503].includes(status)) broken.add(address);
      else if (wanted()) setTimeout(again, Math.max(retryAfter * 1000, BUSY_LEAST_MS * tries));
      if (wanted()) done();
    };
    image.src = address;
  }

  return {
    /** CSS pixels of a tile's longer side. */
    px: 160,
    draw,
    cancel,
    inside,
    hold,
  };
}
