// Which of the files found are in the vault already, so that they need not be sent: by name, size and time at once, by hash as
// hashing gets there. Runs while the person looks at what was found, and holds nothing up: whoever starts without its answer
// sends a little more.

import { api } from '../api.js';
import { Emitter } from '../lib/emitter.js';
import { eachLimited } from '../lib/queue.js';

const ASKED_AT_ONCE = 1000;
const HASHED_AT_ONCE = 50;
const LANES = 2;

/** @typedef {import('./collect.js').Found} Found @typedef {{found: Found, collectionId: number, prefix: string}} Placed */

/** Fires `found` when `already` grew. */
export class KnownFiles extends Emitter {
  /** @type {Map<Found, {assetId: number, sha256: string}>} */
  already = new Map();
  bytes = 0;
  over = false;

  /** @param {import('./hasher.js').Hasher} hasher */
  constructor(hasher) {
    super();
    this.hasher = hasher;
  }

  /** No more hashing ahead: what is sent from now on is hashed on its way. */
  stop() {
    this.over = true;
  }

  /** @param {Placed[]} placed */
  async check(placed) {
    const readable = placed.filter(({ found }) => found.file);
    for (const some of portions(readable, ASKED_AT_ONCE)) await this.ask(some);
    for (const some of portions(readable.filter(({ found }) => !this.already.has(found)), HASHED_AT_ONCE)) {
      await eachLimited(some, LANES, async ({ found }) => {
        // What cannot be read is told when it is sent.
        if (!this.over) found.sha256 ??= await this.hasher.sha256(found.file).catch(() => undefined);
      });
      if (this.over) return;
      await this.ask(some.filter(({ found }) => found.sha256));
    }
  }

  /** @param {Placed[]} placed */
  async ask(placed) {
    for (const collectionId of new Set(placed.map((one) => one.collectionId))) {
      const files = placed.filter((one) => one.collectionId === collectionId);
      const { known } = await api.known(collectionId, files.map(({ found, prefix }) => questionOf(found, prefix)));
      const before = this.already.size;
      known.forEach((answer, i) => {
        const { found } = files[i];
        if (!answer || this.already.has(found)) return;
        this.already.set(found, { assetId: answer.asset_id, sha256: answer.sha256 ?? found.sha256 ?? '' });
        this.bytes += found.file.size;
      });
      if (this.already.size > before) this.emit('found');
    }
  }
}

/** @template T @param {T[]} all @param {number} most */
function* portions(all, most) {
  for (let at = 0; at < all.length; at += most) yield all.slice(at, at + most);
}

/** @param {Found} found @param {string} prefix */
export function questionOf(found, prefix) {
  const { name, file, sha256 } = found;
  return { ...(prefix && { path_prefix: prefix }), filename: name, size: file.size, modified_unix_ms: file.lastModified, ...(sha256 && { sha256 }) };
}
