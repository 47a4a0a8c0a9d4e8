// What was begun and not ended when the page went away: which place, how much was left, and where the browser allows it the
// handles of what was dropped, so that one click goes on. The server knows which parts it has; nothing is sent twice.

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

/** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} act @returns {Promise<any>} null where there is no database */
function within(mode, act) {
  return new Promise((resolve) => {
    if (!globalThis.indexedDB) {
      resolve(null);
      return;
    }
    const opening = indexedDB.open('compactvault-uploads', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: 'id' });
    opening.onerror = () => resolve(null);
    opening.onsuccess = () => {
      const db = opening.result;
      const transaction = db.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        db.close();
        resolve(request.result ?? null);
      };
      transaction.onabort = () => {
        db.close();
        resolve(null);
      };
    };
  });
}

/** @param {Batch} batch */
export async function keepBatch(batch) {
  try {
    await within('readwrite', (store) => store.put(batch));
  } catch {
    // Handles that cannot be stored: better without them than not at all.
    await within('readwrite', (store) => store.put({ ...batch, handles: [] })).catch(() => {});
  }
}

/** @param {string} id */
export const forgetBatch = (id) => within('readwrite', (store) => store.delete(id));

/** Those nobody is at work on. @returns {Promise<Batch[]>} */
export async function leftBatches() {
  /** @type {Batch[]} */
  const all = (await within('readonly', (store) => store.getAll())) ?? [];
  const now = Date.now();
  for (const batch of all) if (now - batch.seen > KEPT_MS) await forgetBatch(batch.id);
  return all.filter((batch) => now - batch.seen <= KEPT_MS && batch.files > 0 && (batch.tab === tabId() || now - batch.seen > SILENT_MS));
}

/**
 * Reads again what the handles stand for, if the person lets us. Must be called inside a click.
 * @param {any[]} handles @returns {Promise<import('./collect.js').Collected | null>} null where it was not allowed
 */
export async function reopened(handles) {
  for (const handle of handles) {
    if ((await handle.requestPermission({ mode: 'read' })) !== 'granted') return null;
  }
  /** @type {import('./collect.js').Collected} */
  const out = { files: [], emptyFolders: [] };
  /** @param {any} handle @param {string[]} folders */
  async function visit(handle, folders) {
    if (handle.kind === 'directory') {
      for await (const child of handle.values()) await visit(child, [...folders, handle.name]);
      return;
    }
    const reread = () => handle.getFile();
    /** @type {import('./collect.js').Found} */
    const found = { file: null, folders, name: handle.name, error: '', reread };
    out.files.push(found);
    try {
      found.file = await reread();
    } catch (error) {
      found.error = error.message || 'it could not be read';
    }
  }
  for (const handle of handles) await visit(handle, []);
  return out;
}
