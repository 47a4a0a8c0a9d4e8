// Which of the files found are in the vault already, so that they need not be sent: by name, size and time at once, by hash as
// hashing gets there. Runs while the person looks at what was found, and holds nothing up: whoever starts without its answer
// sends a little more.

import { api } from '../api.js';
import { emitting } from '../lib/emitter.js';
import { eachLimited } from '../lib/queue.js';

const ASKED_AT_ONCE = 1000;
const HASHED_AT_ONCE = 50;
const LANES = 2;

/** @typedef {import('./collect.js').Found} Found @typedef {{found: Found, collectionId: number, prefix: string}} Placed */

/** @typedef {ReturnType<typeof knownFiles>} KnownFiles */

/** Fires `found` when `already` grew. @param {import('./hasher.js').Hasher} hasher */
export function knownFiles(hasher) {
  /** @type {Map<Found, {assetId: number, sha256: string}>} */
  const already = new Map();
  let over = false;
  const known = emitting({
    already,
    /** In those that are there already. */
    bytes: 0,
    check,
    /** No more hashing ahead: what is sent from now on is hashed on its way. */
    stop() {
      over = true;
    },
  });

  /** @param {Placed[]} placed */
  async function check(placed) {
    const readable = placed.filter(({ found }) => found.file);
    for (const some of portions(readable, ASKED_AT_ONCE)) await ask(some);
    for (const some of portions(readable.filter(({ found }) => !already.has(found)), HASHED_AT_ONCE)) {
      await eachLimited(some, LANES, async ({ found }) => {
        // What cannot be read is told when it is sent.
        if (!over) found.sha256 ??= await hasher.sha256(found.file).catch(() => undefined);
      });
      if (over) return;
      await ask(some.filter(({ found }) => found.sha256));
    }
  }

  /** @param {Placed[]} placed */
  async function ask(placed) {
    for (const collectionId of new Set(placed.map((one) => one.collectionId))) {
      const files = placed.filter((one) => one.collectionId === collectionId);
      const answers = await api.known(collectionId, files.map(({ found, prefix }) => questionOf(found, prefix)));
      const before = already.size;
      answers.known.forEach((answer, i) => {
        const { found } = files[i];
        if (!answer || already.has(found)) return;
        already.set(found, { assetId: answer.asset_id, sha256: answer.sha256 ?? found.sha256 ?? '' });
        known.bytes += found.file.size;
      });
      if (already.size > before) known.emit('found');
    }
  }

  return known;
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
