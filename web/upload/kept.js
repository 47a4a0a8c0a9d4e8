// What was begun and not ended when the page went away: which place, how much was left, and where the browser allows it the
// handles of what was dropped, so that one click goes on. The server knows which parts it has; nothing is sent twice.

import { walk } from './collect.js';

const STORE = 'batches';
const KEPT_MS = 7 * 24 * 3600 * 1000;
/** A batch that another window is at work on says so this often. */
export const BEAT_MS = 2000;
const SILENT_MS = 5 * BEAT_MS;

/**
 * @typedef {{id: string, tab: string, seen: number, target: any, place: string, project: string, collection: string, handles: any[],
 *   files: number, bytes: number}} Batch files and bytes: left unsent
 */

/** This window, also after a reload. */
export function tabId() {
  try {
    const id = sessionStorage.getItem('cv-tab') ?? crypto.getRandomValues(new Uint32Array(2)).join('-');
    sessionStorage.setItem('cv-tab', id);
    return id;
  } catch {
    return '';
  }
}

/** What an event target says it has, once it has it. @template {EventTarget} T @param {T} target @param {string} done @param {string} failed @returns {Promise<T>} */
function told(target, done, failed) {
  return new Promise((resolve, reject) => {
    target.addEventListener(done, () => resolve(target));
    target.addEventListener(failed, () => reject(target.error));
  });
}

/** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} act @returns {Promise<any>} fails where there is no database */
async function within(mode, act) {
  const opening = indexedDB.open('compactvault-uploads', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: 'id' });
  const { result: db } = await told(opening, 'success', 'error');
  try {
    const transaction = db.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    await told(transaction, 'complete', 'abort');
    return request.result;
  } finally {
    db.close();
  }
}

/** @param {Batch} batch */
export async function keepBatch(batch) {
  const keep = (it) => within('readwrite', (store) => store.put(it));
  // Handles that cannot be stored: better without them than not at all.
  await keep(batch).catch(() => keep({ ...batch, handles: [] })).catch(() => {});
}

/** @param {string} id */
export const forgetBatch = (id) => within('readwrite', (store) => store.delete(id)).catch(() => {});

/** Those nobody is at work on. @returns {Promise<Batch[]>} */
export async function leftBatches() {
  /** @type {Batch[]} */
  const all = await within('readonly', (store) => store.getAll());
  const now = Date.now();
  const old = ({ seen }) => now - seen > KEPT_MS;
  for (const { id } of all.filter(old)) await forgetBatch(id);
  return all.filter((batch) => !old(batch) && batch.files > 0 && (batch.tab === tabId() || now - batch.seen > SILENT_MS));
}

/**
 * Reads again what the handles stand for, if the person lets us. Must be called inside a click.
 * @param {any[]} handles @returns {Promise<import('./collect.js').Collected | null>} null where it was not allowed
 */
export async function reopened(handles) {
  for (const handle of handles) {
    if ((await handle.requestPermission({ mode: 'read' })) !== 'granted') return null;
  }
  return walk({ entries: handles, loose: [] });
}
