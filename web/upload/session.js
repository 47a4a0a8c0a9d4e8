// All uploads of this page since the panel was last closed: what was found and what became of each. The sums always agree:
// found = waiting + hashing + receiving + queued + sealed + already here + failed.

import { api } from '../api.js';
import { Emitter } from '../lib/emitter.js';
import { WorkQueue, backoff, eachLimited, sleep } from '../lib/queue.js';
import { Hasher } from './hasher.js';
import { LARGE_BYTES, ended, explained, newUploadId, transfer } from './transfer.js';

/** Small files travel together, so that many have to be in hand; of those that are large, or may be, an eighth as many. */
const FILES_AT_ONCE = 128;

/**
 * @typedef {'waiting' | 'hashing' | 'receiving' | 'queued' | 'sealed' | 'already' | 'failed'} ItemState
 * @typedef {{number: number, found: import('./collect.js').Found, name: string, where: string, size: number, modified: number,
 *   collectionId: number, prefix: string, uploadId: string, begun: boolean, state: ItemState, sent: number, error: string,
 *   code: string, assetId: number, sha256: string, maybeThere: boolean}} Item where: the folders it came in, for showing;
 *   maybeThere: its collection held something before, so that asking may save sending
 */

/** @param {Item} item */
function weightOf({ found, size }) {
  return (found.file || size) && size < LARGE_BYTES ? 1 : FILES_AT_ONCE / 8;
}

/** Why a transfer was broken off. */
export const PAUSED = new DOMException('Paused', 'AbortError');
const CANCELLED = new DOMException('Cancelled', 'AbortError');

/** Fires `change` (often; draw at your own pace), and `finished` when the last file has ended. */
export class UploadSession extends Emitter {
  hasher = new Hasher();
  /** @type {Map<string, Item>} */
  byUploadId = new Map();
  /** @type {Map<string, import('../api.js').Upload>} failures heard of before `complete` was answered */
  early = new Map();
  /** @type {WorkQueue<Item>} */
  queue = new WorkQueue(FILES_AT_ONCE, (item) => this.runOne(item), weightOf);
  queuedCheck = false;
  /** @type {Promise<void> | null} */
  away = null;
  /** Assets that came from this page. @type {Set<number>} */
  made = new Set();
  breaking = new AbortController();
  cancels = 0;
  /** @type {{promise: Promise<void>, resolve: () => void} | null} */
  pausing = null;

  constructor() {
    super();
    this.clear();
  }

  /** Forgets what has ended. Only to be called when all has. */
  clear() {
    /** @type {Item[]} */
    this.items = [];
    /** @type {Record<ItemState, number>} */
    this.counts = { waiting: 0, hashing: 0, receiving: 0, queued: 0, sealed: 0, already: 0, failed: 0 };
    this.totalBytes = 0;
    this.sentBytes = 0;
    this.failedBytes = 0;
    this.byUploadId.clear();
    this.emit('change');
  }

  get found() {
    return this.items.length;
  }

  get ended() {
    return this.counts.sealed + this.counts.already + this.counts.failed;
  }

  /** Bytes the server does not have yet. */
  get unsentBytes() {
    return Math.max(0, this.totalBytes - this.sentBytes - this.failedBytes);
  }

  /** Are there files that closing the page would lose? */
  get unsent() {
    return this.counts.waiting + this.counts.hashing + this.counts.receiving > 0;
  }

  get finished() {
    return this.items.length > 0 && this.ended === this.items.length;
  }

  get paused() {
    return this.pausing !== null;
  }

  /**
   * @param {{found: import('./collect.js').Found, collectionId: number, prefix: string}[]} files
   * @param {{isNew?: (collectionId: number) => boolean}} [how] isNew: a collection that held nothing before
   */
  add(files, { isNew = () => false } = {}) {
    for (const { found, collectionId, prefix } of files) {
      /** @type {Item} */
      const item = {
        number: this.items.length, found, name: found.name, where: found.folders.join('/'), size: found.file?.size ?? 0,
        modified: found.file?.lastModified ?? 0, collectionId, prefix, uploadId: newUploadId(), begun: false, state: 'waiting', sent: 0,
        error: '', code: '', assetId: 0, sha256: found.sha256 ?? '', maybeThere: !isNew(collectionId),
      };
      this.items.push(item);
      this.counts.waiting += 1;
      this.totalBytes += item.size;
      if (found.error) {
        const error = found.error.startsWith('the folder') ? found.error : `could not be read: ${found.error}`;
        this.update(item, { state: 'failed', error, code: 'unreadable' });
      } else {
        this.queue.add(item);
      }
    }
    this.emit('change');
  }

  /** These are there already: nothing of them is sent. @param {Map<import('./collect.js').Found, {assetId: number, sha256: string}>} already */
  skip(already) {
    for (const item of this.items) {
      const known = item.state === 'waiting' && already.get(item.found);
      if (known) this.update(item, { state: 'already', sent: item.size, assetId: known.assetId, sha256: known.sha256 });
    }
  }

  /** Parts on their way are broken off and sent again later; those that arrived stay there. */
  pause() {
    if (this.pausing) return;
    this.pausing = {};
    this.pausing.promise = new Promise((resolve) => { this.pausing.resolve = resolve; });
    this.queue.pause();
    this.breaking.abort(PAUSED);
    this.emit('change');
  }

  resume() {
    this.breaking = new AbortController();
    this.pausing?.resolve();
    this.pausing = null;
    this.queue.resume();
    this.emit('change');
  }

  /** Gives up what was not sent; what is queued or sealed stays so. */
  cancel() {
    this.queue.drop();
    this.cancels += 1;
    for (const item of this.items) {
      if (item.state === 'waiting') this.update(item, { state: 'failed', ...explained(CANCELLED, item) });
    }
    this.breaking.abort(CANCELLED);
    this.resume();
  }

  /** @param {Item} item */
  async runOne(item) {
    if (item.state !== 'waiting') return;
    const ownId = item.uploadId;
    let { breaking } = this;
    const { cancels } = this;
    await transfer(item, {
      hasher: this.hasher,
      untilAnswered: () => this.untilAnswered(),
      update: (...change) => this.update(...change),
      signal: () => breaking.signal,
      untilResumed: async () => {
        await this.pausing?.promise;
        if (this.cancels !== cancels) throw CANCELLED;
        breaking = this.breaking;
      },
    });
    const early = this.early.get(item.uploadId);
    this.early.delete(item.uploadId);
    if (item.state !== 'queued') return;
    this.byUploadId.set(item.uploadId, item);
    if (early) this.heard(early);
    // Under an id that the server chose, the end may have been told before the id was.
    else if (item.uploadId !== ownId) this.recheckQueued();
  }

  /** @param {Item} item @param {Partial<Item>} change */
  update(item, change) {
    if (change.size !== undefined) this.totalBytes += change.size - item.size;
    if (change.sent !== undefined) this.sentBytes += change.sent - item.sent;
    const before = item.state;
    Object.assign(item, change);
    if (item.state !== before) {
      this.counts[before] -= 1;
      this.counts[item.state] += 1;
      if (item.state === 'failed') {
        this.sentBytes -= item.sent;
        item.sent = 0;
        this.failedBytes += item.size;
      }
      if (before === 'failed') this.failedBytes -= item.size;
      if (item.assetId > 0) this.made.add(item.assetId);
      if (item.begun) this.byUploadId.set(item.uploadId, item);
      if (item.state === 'sealed' || item.state === 'already') this.byUploadId.delete(item.uploadId);
      if (this.finished) this.emit('finished');
    }
    this.emit('change');
  }

  /** The server says how an upload ended. @param {import('../api.js').Upload} upload */
  heard(upload) {
    const item = this.byUploadId.get(upload.upload_id);
    if (!item || upload.status === 'receiving') return;
    if (upload.status === 'failed' && item.state !== 'queued') {
      this.early.set(upload.upload_id, upload);
      return;
    }
    ended(item, upload, this);
  }

  /** After a break in the event stream: ask for what may have been missed. */
  async recheckQueued() {
    if (this.queuedCheck) return;
    this.queuedCheck = true;
    // Of what fails, the stream's next `hello` asks again.
    await eachLimited(this.items.filter(({ state }) => state === 'queued'), 2, async (item) => {
      if (item.state === 'queued') this.heard(await api.upload(item.uploadId));
    }).catch(() => {});
    this.queuedCheck = false;
  }

  /** @param {Item[]} [which] all failed ones unless said otherwise */
  retry(which = this.items.filter((item) => item.state === 'failed')) {
    for (const item of which) {
      if (item.state !== 'failed') continue;
      // The browser's picture of a changed file never reads again; a fresh one does, where the entry can give it.
      if (item.found.reread) item.found.file = null;
      item.found.error = '';
      item.found.sha256 = undefined;
      item.sha256 = '';
      this.update(item, { state: 'waiting', error: '', code: '' });
      this.queue.add(item);
    }
  }

  /** Resolves once the server answers again; all transfers wait on one question. */
  untilAnswered() {
    this.away ??= (async () => {
      this.emit('change');
      let answered = false;
      for (let attempt = 0; !answered; attempt += 1) {
        await sleep(backoff(attempt));
        answered = await api.status().then(() => true, () => false);
      }
      this.away = null;
      this.emit('change');
    })();
    return this.away;
  }
}
