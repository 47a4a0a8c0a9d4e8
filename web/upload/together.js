// Small files on their way: those that are ready at the same time share a request. Each request is answered when what it
// brought is safe on disk, and that takes as long for one file as for many. Nothing here waits for a clock: whoever is ready
// while a request may leave, leaves, and those who become ready meanwhile go with the next.

import { ApiError, api } from '../api.js';
import { clamp } from '../lib/virtual_window.js';
import { LARGE_BYTES, sendAlone } from './transfer.js';

/** One is made safe while the next arrives, if that one is half full: many small requests take longer than fewer. */
const REQUESTS_OF_A_COLLECTION = 2;
/** As many as of large files at once, for the same reason. */
const REQUESTS_IN_ALL = 4;
export const FILES_MOST = 64;
export const BYTES_MOST = 2 * 1024 * 1024;
/** Of the line that says what follows it; the server takes somewhat more. */
export const LINE_MOST = 48 * 1024;
/** After so many broken requests a file goes alone: it may be what breaks them. */
const BREAKS_MOST = 2;

/**
 * @typedef {import('./session.js').Item} Item
 * @typedef {import('../api.js').Upload} Upload
 * @typedef {{item: Item, file: File, sha256: string, how: import('../api.js').Sending, line: string, lineBytes: number,
 *   resolve: (answer: Upload) => void, reject: (error: unknown) => void}} Parcel line: what is said of the file before its bytes
 */

export function courier() {
  /** @type {Parcel[]} */
  let waiting = [];
  /** Collections that requests on their way are for. @type {number[]} */
  const leaving = [];
  /** How many requests broke that a file was in. @type {WeakMap<Item, number>} */
  const breaks = new WeakMap();

  /**
   * Resolves with what the server says of this file, and fails for its own reasons or with the request it went in.
   * @param {Item} item @param {File} file @param {string} sha256 @param {import('../api.js').Sending} how @returns {Promise<Upload>}
   */
  function send(item, file, sha256, how) {
    const line = JSON.stringify({ filename: item.name, path: item.prefix, modified: file.lastModified, size: file.size, sha256 });
    return new Promise((resolve, reject) => {
      waiting.push({ item, file, sha256, how, line, lineBytes: new Blob([line]).size, resolve, reject });
      // Those who are ready in the same moment come along.
      queueMicrotask(advance);
    });
  }

  function advance() {
    while (leaving.length < REQUESTS_IN_ALL) {
      const load = takeLoad();
      if (load.length === 0) return;
      carryLoad(load);
    }
  }

  /** Who goes next, none if nobody may. @returns {Parcel[]} */
  function takeLoad() {
    const asked = new Set();
    for (const first of waiting) {
      const { collectionId } = first.item;
      const ahead = leaving.filter((id) => id === collectionId).length;
      if (asked.has(collectionId) || ahead >= REQUESTS_OF_A_COLLECTION) continue;
      asked.add(collectionId);
      const load = loadFrom(first);
      if (ahead > 0 && !isHalfFull(load)) continue;
      const taken = new Set(load);
      waiting = waiting.filter((parcel) => !taken.has(parcel));
      return load;
    }
    return [];
  }

  /** Those who go with this one: in order, and only with those to be broken off together. @param {Parcel} first */
  function loadFrom(first) {
    const load = [first];
    let bytes = first.file.size;
    // Brackets and the line's end; each file adds its comma.
    let lineBytes = 3 + first.lineBytes;
    for (const next of mayJoin(first.item) ? waiting : []) {
      if (next === first || next.item.collectionId !== first.item.collectionId || next.how.signal !== first.how.signal || !mayJoin(next.item)) continue;
      bytes += next.file.size;
      lineBytes += next.lineBytes + 1;
      if (load.length >= FILES_MOST || bytes > BYTES_MOST || lineBytes > LINE_MOST) break;
      load.push(next);
    }
    return load;
  }

  /** @param {Item} item */
  function mayJoin(item) {
    return breaksOf(item) < BREAKS_MOST;
  }

  /** @param {Item} item */
  function breaksOf(item) {
    return breaks.get(item) ?? 0;
  }

  /** @param {Parcel[]} load of one collection */
  async function carryLoad(load) {
    const [{ item, file, sha256, how, resolve, reject }] = load;
    leaving.push(item.collectionId);
    if (load.length === 1) await sendAlone(item, file, sha256, how).then(resolve, reject);
    else await carryTogether(item.collectionId, load).catch((error) => dealWith(error, load));
    leaving.splice(leaving.indexOf(item.collectionId), 1);
    advance();
  }

  /** @param {number} collectionId @param {Parcel[]} load */
  async function carryTogether(collectionId, load) {
    const ahead = new Blob([`[${load.map(({ line }) => line).join()}]\n`]);
    const body = new Blob([ahead, ...load.map(({ file }) => file)]);
    const { files } = await api.sendBatch(collectionId, body, {
      signal: load[0].how.signal,
      onProgress(sent) {
        let left = sent - ahead.size;
        for (const { file, how } of load) {
          how.onProgress?.(clamp(left, 0, file.size));
          left -= file.size;
        }
      },
    });
    load.forEach(({ resolve, reject }, i) => {
      const answer = files[i];
      if (answer.status === 'failed') reject(new ApiError(answer.message, { status: answer.http_status, code: answer.code }));
      else resolve(answer);
    });
  }

  /** A request failed as a whole. @param {any} error @param {Parcel[]} load */
  async function dealWith(error, load) {
    if (error.status === 0) {
      // A file that can no longer be read looks like a broken connection; reading one byte of each tells which.
      const reasons = await Promise.all(load.map(({ file }) => file.slice(0, 1).arrayBuffer().then(() => error, (unreadable) => unreadable)));
      if (reasons.every((reason) => reason === error)) {
        for (const { item } of load) breaks.set(item, breaksOf(item) + 1);
      }
      load.forEach(({ reject }, i) => reject(reasons[i]));
    } else if (error instanceof ApiError && !error.passing && error.status !== 401) {
      // Refused for what may be the fault of one: alone, each is told what is wrong with it.
      for (const { item } of load) breaks.set(item, BREAKS_MOST);
      waiting.unshift(...load);
    } else {
      for (const { reject } of load) reject(error);
    }
  }

  return send;
}

/** @param {Parcel[]} load */
function isHalfFull(load) {
  return load.length >= FILES_MOST / 2 || load.reduce((sum, { file }) => sum + file.size, 0) >= BYTES_MOST / 2;
}

const together = courier();

/** A large file has a request to itself. @type {typeof sendAlone} */
export function carry(item, file, sha256, how) {
  return file.size < LARGE_BYTES ? together(item, file, sha256, how) : sendAlone(item, file, sha256, how);
}
