// From a drop or a file chooser to a flat list of files with the folders they came in. Everything is taken: every level,
// every entry, and what cannot be read is named instead of being lost.

import { eachLimited } from '../lib/queue.js';

const FILES_AT_ONCE = 64;

/**
 * @typedef {{file: File | null, folders: string[], name: string, error: string, reread?: () => Promise<File>, sha256?: string}} Found
 *   folders: from the outermost inwards; error: '' where the file is at hand; sha256: where it was hashed already
 * @typedef {{files: Found[], emptyFolders: string[][]}} Collected
 */

/**
 * Must be called inside the drop's own event: the browser empties the transfer when that ends.
 * @param {DataTransfer} transfer
 * @returns {{entries: any[], loose: File[], handles: any[]}} handles: of what was taken, for going on after a reload; they come in later,
 *   and some never: the browser may ask about a folder, and nobody has to wait for that answer
 */
export function takeNow(transfer) {
  const taken = { entries: [], loose: [], handles: [] };
  for (const item of transfer.items ?? []) {
    if (item.kind !== 'file') continue;
    // Chromium may crash where this is asked on a page that is not secure.
    if (globalThis.isSecureContext) item.getAsFileSystemHandle?.().then((handle) => handle && taken.handles.push(handle), () => {});
    const entry = item.webkitGetAsEntry?.();
    const file = entry ? null : item.getAsFile();
    if (entry) taken.entries.push(entry);
    else if (file) taken.loose.push(file);
  }
  if (taken.entries.length + taken.loose.length === 0) taken.loose.push(...transfer.files ?? []);
  return taken;
}

/**
 * @param {{entries: any[], loose: File[]}} taken entries: of a drop, or handles
 * @param {(found: number) => void} [onFound]
 * @returns {Promise<Collected>}
 */
export async function walk({ entries, loose }, onFound = () => {}) {
  /** @type {Collected} */
  const out = { files: loose.map((file) => ({ file, folders: [], name: file.name, error: '' })), emptyFolders: [] };

  /** @param {any} entry @param {string[]} folders */
  async function visit(entry, folders) {
    const inside = [...folders, entry.name];
    /** @type {any[]} what was read is kept even if the next piece fails */
    const children = [];
    try {
      for await (const child of childrenOf(entry)) children.push(child);
      if (children.length === 0) out.emptyFolders.push(inside);
    } catch (error) {
      out.files.push({ file: null, folders, name: entry.name, error: `the folder could not be read: ${reasonOf(error)}` });
    }
    // One folder after another keeps the order, many files at a time keep it quick.
    await eachLimited(children.filter((child) => !isFolder(child)), FILES_AT_ONCE, (child) => take(child, inside));
    for (const child of children.filter(isFolder)) await visit(child, inside);
  }

  /** @param {any} entry @param {string[]} folders */
  async function take(entry, folders) {
    /** @type {Found} */
    const found = { file: null, folders, name: entry.name, error: '', reread: () => fileOf(entry) };
    out.files.push(found);
    if (out.files.length % FILES_AT_ONCE === 0) onFound(out.files.length);
    try {
      found.file = await found.reread();
    } catch (error) {
      found.error = reasonOf(error);
    }
  }

  for (const entry of entries) await (isFolder(entry) ? visit : take)(entry, []);
  onFound(out.files.length);
  return out;
}

// Entries of a drop and handles that were kept say the same in different words.

/** @param {any} entry */
function isFolder(entry) {
  return entry.isDirectory ?? entry.kind === 'directory';
}

/** @param {any} entry @returns {Promise<File>} */
function fileOf(entry) {
  return entry.getFile ? entry.getFile() : new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** @param {any} folder */
async function* childrenOf(folder) {
  if (folder.values) {
    yield* folder.values();
    return;
  }
  const reader = folder.createReader();
  // A reader gives at most a hundred entries a time and ends with none at all.
  let some;
  do {
    some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    yield* some;
  } while (some.length > 0);
}

/** What was pasted. A picture that never was a file comes as “image.png”, which would be one name for all of them. @param {DataTransfer} transfer */
export function pasted(transfer) {
  const [only, ...others] = transfer.files;
  if (others.length > 0 || only?.name !== 'image.png') return takeNow(transfer);
  const [date, time] = new Date().toISOString().split(/[T.]/);
  const { type, lastModified } = only;
  return { entries: [], loose: [new File([only], `Pasted ${date} ${time.replaceAll(':', '.')}.png`, { type, lastModified })], handles: [] };
}

/** What a file or folder chooser gave. @param {FileList} list @returns {Collected} */
export function fromChooser(list) {
  const files = Array.from(list, (file) => {
    const path = (file.webkitRelativePath || file.name).split('/');
    return { file, folders: path.slice(0, -1), name: file.name, error: '' };
  });
  return { files, emptyFolders: [] };
}

const REFUSED = 'the system refused';
const REASONS = {
  NotFoundError: 'it is no longer there', NotReadableError: REFUSED, SecurityError: REFUSED,
  NotAllowedError: REFUSED, EncodingError: 'its name cannot be used',
};

/** @param {any} error */
export function reasonOf(error) {
  return REASONS[error?.name] ?? (error?.message || 'it could not be read');
}
