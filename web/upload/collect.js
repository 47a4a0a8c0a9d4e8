// From a drop or a file chooser to a flat list of files with the folders they came in. Everything is taken: every level,
// every entry, and what cannot be read is named instead of being lost.

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
  const entries = [];
  const loose = [];
  const handles = [];
  for (const item of Array.from(transfer.items ?? [])) {
    if (item.kind !== 'file') continue;
    // Chromium may crash where this is asked on a page that is not secure.
    if (globalThis.isSecureContext && 'getAsFileSystemHandle' in item) item.getAsFileSystemHandle().then((it) => it && handles.push(it), () => {});
    const entry = item.webkitGetAsEntry?.();
    if (entry) {
      entries.push(entry);
    } else {
      const file = item.getAsFile();
      if (file) loose.push(file);
    }
  }
  if (entries.length === 0 && loose.length === 0) loose.push(...Array.from(transfer.files ?? []));
  return { entries, loose, handles };
}

/**
 * @param {{entries: any[], loose: File[]}} taken
 * @param {(found: number) => void} [onFound]
 * @returns {Promise<Collected>}
 */
export async function walk({ entries, loose }, onFound = () => {}) {
  /** @type {Collected} */
  const out = { files: loose.map((file) => ({ file, folders: [], name: file.name, error: '' })), emptyFolders: [] };

  /** @param {any} entry @param {string[]} folders */
  async function visit(entry, folders) {
    if (entry.isDirectory) {
      const inside = [...folders, entry.name];
      let children = [];
      let refused = '';
      try {
        children = await allEntries(entry.createReader(), (partial) => { children = partial; });
      } catch (error) {
        refused = reasonOf(error);
      }
      if (refused) out.files.push({ file: null, folders, name: entry.name, error: `the folder could not be read: ${refused}` });
      if (children.length === 0 && !refused) out.emptyFolders.push(inside);
      // One folder after another keeps the order, eight files at a time keep it quick.
      const files = children.filter((child) => !child.isDirectory);
      for (let at = 0; at < files.length; at += 64) {
        await Promise.all(files.slice(at, at + 64).map((child) => take(child, inside)));
        onFound(out.files.length);
      }
      for (const child of children) if (child.isDirectory) await visit(child, inside);
    } else {
      await take(entry, folders);
      onFound(out.files.length);
    }
  }

  /** @param {any} entry @param {string[]} folders */
  async function take(entry, folders) {
    const reread = () => new Promise((resolve, reject) => entry.file(resolve, reject));
    /** @type {Found} */
    const found = { file: null, folders, name: entry.name, error: '', reread: reread };
    out.files.push(found);
    try {
      found.file = /** @type {File} */ (await reread());
    } catch (error) {
      found.error = reasonOf(error);
    }
  }

  for (const entry of entries) await visit(entry, []);
  onFound(out.files.length);
  return out;
}

/**
 * A reader gives at most a hundred entries a time and ends with none at all.
 * @param {any} reader @param {(partial: any[]) => void} onPart what was read is kept even if the next piece fails
 * @returns {Promise<any[]>}
 */
async function allEntries(reader, onPart) {
  const all = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return all;
    all.push(...batch);
    onPart(all);
  }
}

/** What was pasted. A picture that never was a file comes as “image.png”, which would be one name for all of them. @param {DataTransfer} transfer */
export function pasted(transfer) {
  const taken = takeNow(transfer);
  const files = Array.from(transfer.files);
  if (files.length !== 1 || files[0].name !== 'image.png') return taken;
  const [date, time] = new Date().toISOString().split(/[T.]/);
  const file = new File(files, `Pasted ${date} ${time.replaceAll(':', '.')}.png`, { type: files[0].type, lastModified: files[0].lastModified });
  return { entries: [], loose: [file], handles: [] };
}

/** What a file or folder chooser gave. @param {FileList} list @returns {Collected} */
export function fromChooser(list) {
  const files = Array.from(list, (file) => {
    const path = (file.webkitRelativePath || file.name).split('/');
    return { file, folders: path.slice(0, -1), name: file.name, error: '' };
  });
  return { files, emptyFolders: [] };
}

/** @param {any} error */
export function reasonOf(error) {
  switch (error?.name) {
    case 'NotFoundError': return 'it is no longer there';
    case 'NotReadableError':
    case 'SecurityError':
    case 'NotAllowedError': return 'the system refused';
    case 'EncodingError': return 'its name cannot be used';
    default: return error?.message || 'it could not be read';
  }
}
