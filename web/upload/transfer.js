// Brings one file to the server: a small one in one request, shared with others where they are ready too, a larger one in
// parts, then `complete`. Survives lost answers, a server that is away or busy, and a restart of it, by sending a small file
// again, and of a larger one only the parts that are not there.

import { ApiError, addressOf, api } from '../api.js';
import { Gate, backoff, eachLimited, sleep } from '../lib/queue.js';
import { visibleName } from '../lib/format.js';
import { reasonOf } from './collect.js';
import { questionOf } from './known.js';
import { forgetId, rememberId, rememberedId } from './resume.js';

export const PART_BYTES = 4 * 1024 * 1024;
const PARTS_IN_FLIGHT = 4;
/** Six connections serve a browser, the event stream holds one, and the page wants to go on listing meanwhile. */
const large = new Gate(4);
/** Of those that go alone: a browser would queue what more there is, and the page's own questions behind it. */
const small = new Gate(8);
/** From here on, asking whether a file is there is quicker than sending it. */
export const LARGE_BYTES = 256 * 1024;
const BUSY_TRIES = 40;
const COMPLETE_TRIES = 4;
/** Proxies refuse longer addresses; a file deep in folders with long names goes as parts, where they are in the body. */
const ADDRESS_MOST = 4000;

/**
 * @typedef {import('./session.js').Item} Item
 * @typedef {{hasher: Pick<import('./hasher.js').Hasher, 'sha256'>, untilAnswered: () => Promise<void>, update: (item: Item, change: Partial<Item>) => void,
 *   signal?: () => AbortSignal, untilResumed?: () => Promise<void>}} Tools signal: breaks off what is on its way; untilResumed: throws
 *   where that was not for a pause
 */

/** Ends with the item queued, sealed, already here or failed; never throws. @param {Item} item @param {Tools} tools */
export async function transfer(item, tools) {
  try {
    await send(item, tools);
  } catch (error) {
    tools.update(item, { state: 'failed', ...explained(error, item) });
  }
}

/** @param {Item} item @param {Tools} tools */
async function send(item, tools) {
  const file = item.found.file ?? (await reread(item));
  const parts = Math.ceil(file.size / PART_BYTES);
  if (item.maybeThere && file.size >= LARGE_BYTES && (await isThere(item, file, tools))) return;
  if (parts <= 1 && addressFor(item, file, '').length < ADDRESS_MOST) return sendWhole(item, file, tools);
  tools.update(item, { state: 'receiving', size: file.size, modified: file.lastModified, sent: 0 });

  const hash = hashOf(item, file, tools);
  // Whoever fails first ends the upload; the other's failure must not go unheard as an unhandled rejection.
  let hashed = false;
  hash.then(() => { hashed = true; }, () => {});

  let have = new Set();
  const earlier = parts > 1 ? rememberedId(item) : null;
  if (earlier) item.uploadId = earlier;
  if (parts > 1) rememberId(item, item.uploadId);
  // What was never begun need not be asked about.
  if (item.begun || earlier) {
    const state = await asked(item, tools);
    const asId = item.uploadId;
    if (adopt(item, state, tools)) return;
    if (item.uploadId === asId) have = partsThere(state, file.size);
  }
  item.begun = true;

  for (let attempt = 0; ; attempt += 1) {
    try {
      await sendParts(item, file, parts, have, tools);
      if (!hashed) tools.update(item, { state: 'hashing', sent: file.size });
      const sha256 = await hash;
      tools.update(item, { state: 'receiving', sent: file.size });
      const answer = await patiently(tools, () => api.completeUpload({
        upload_id: item.uploadId,
        filename: item.name,
        collection_id: item.collectionId,
        path_prefix: item.prefix,
        total_size: file.size,
        parts,
        sha256,
        modified: file.lastModified,
      }));
      if (parts > 1) forgetId(item);
      ended(item, answer, tools);
      return;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409 || attempt >= COMPLETE_TRIES) throw error;
      // The server knows better which parts it has, or what became of the upload.
      const state = await asked(item, tools);
      if (adopt(item, state, tools)) return;
      if (error.code === 'part_differs' || (error.code === 'digest_differs' && attempt === 0 && have.size > 0)) {
        // Parts of an earlier try with other bytes lie under this number: begin anew.
        forgetId(item);
        item.uploadId = newUploadId();
        if (parts > 1) rememberId(item, item.uploadId);
        have = new Set();
      } else if (error.code === 'parts_missing') {
        have = partsThere(state, file.size);
      } else {
        throw error;
      }
    }
  }
}

/** @param {Item} item @param {File} file @param {Tools} tools */
async function hashOf(item, file, tools) {
  item.sha256 ||= item.found.sha256 ?? (await tools.hasher.sha256(file));
  return item.sha256;
}

/** Hashes ahead and asks, where sending would cost more. @param {Item} item @param {File} file @param {Tools} tools */
async function isThere(item, file, tools) {
  // What was hashed before it came here was asked about then.
  if (item.found.sha256) return false;
  tools.update(item, { state: 'hashing', size: file.size, modified: file.lastModified, sent: 0 });
  item.found.sha256 = await hashOf(item, file, tools);
  const { known } = await patiently(tools, () => api.known(item.collectionId, [questionOf(item.found, item.prefix)]));
  if (!known[0]) return false;
  tools.update(item, { state: 'already', sent: file.size, assetId: known[0].asset_id });
  return true;
}

/** @param {Item} item @param {File} file @param {string} sha256 */
function addressFor(item, file, sha256) {
  return addressOf.file(item.collectionId, { filename: item.name, path: item.prefix, modified: String(file.lastModified), sha256 });
}

/** @param {Item} item @param {File} file @param {Tools} tools */
async function sendWhole(item, file, tools) {
  tools.update(item, { state: 'hashing', size: file.size, modified: file.lastModified, sent: 0 });
  // The digest leaves with the bytes, so it comes first: a file that changes in between is refused.
  const sha256 = await hashOf(item, file, tools);
  tools.update(item, { state: 'receiving' });
  const onProgress = (sent) => tools.update(item, { sent: Math.min(sent, file.size) });
  // Where the module does not arrive, each goes alone: that costs time and nothing else.
  const { carry } = await import('./together.js').catch(() => ({ carry: sendAlone }));
  // Sent again after a lost answer, it is found to be there already.
  const answer = await patiently(tools, () => carry(item, file, sha256, { onProgress, signal: tools.signal?.() }));
  if (answer.upload_id) item.uploadId = answer.upload_id;
  ended(item, answer, tools);
}

/** In a request of its own. @param {Item} item @param {File} file @param {string} sha256 @param {import('../api.js').Sending} how */
export function sendAlone(item, file, sha256, how) {
  return sendBlob(file, () => api.sendFile(addressFor(item, file, sha256), file, how));
}

/** @template T @param {Blob} body @param {() => Promise<T>} send @returns {Promise<T>} */
async function sendBlob(body, send) {
  try {
    return await (body.size < LARGE_BYTES ? small : large).through(send);
  } catch (error) {
    // A file that can no longer be read looks like a broken connection; reading one byte tells them apart.
    if (error instanceof ApiError && error.status === 0) await body.slice(0, 1).arrayBuffer();
    throw error;
  }
}

/** @param {Item} item */
async function reread(item) {
  if (!item.found.reread) throw new Error(item.found.error || 'it could not be read');
  const file = await item.found.reread();
  item.found.file = file;
  return file;
}

/** @param {Item} item @param {File} file @param {number} parts @param {Set<number>} have @param {Tools} tools */
async function sendParts(item, file, parts, have, tools) {
  /** @type {Map<number, number>} */
  const live = new Map();
  let done = 0;
  const missing = [];
  for (let index = 0; index < parts; index += 1) {
    if (have.has(index)) done += partSize(index, file.size);
    else missing.push(index);
  }
  const report = () => {
    let sent = done;
    for (const n of live.values()) sent += n;
    tools.update(item, { state: 'receiving', sent: Math.min(sent, file.size) });
  };
  report();
  await eachLimited(missing, PARTS_IN_FLIGHT, async (index) => {
    const body = file.slice(index * PART_BYTES, index * PART_BYTES + PART_BYTES);
    await patiently(tools, async () => {
      try {
        await sendBlob(body, () => api.sendPart(item.uploadId, index, body, {
          signal: tools.signal?.(),
          onProgress: (sent) => {
            live.set(index, Math.min(sent, body.size));
            report();
          },
        }));
      } catch (error) {
        live.delete(index);
        throw error;
      }
    });
    live.delete(index);
    done += body.size;
    report();
  });
}

/** Tries again for as long as trying again makes sense. @template T @param {Tools} tools @param {() => Promise<T>} work @returns {Promise<T>} */
async function patiently(tools, work) {
  for (let busy = 0; ; ) {
    if (tools.signal?.().aborted) await tools.untilResumed?.();
    try {
      return await work();
    } catch (error) {
      if (error?.name === 'AbortError' && error === tools.signal?.().reason) continue;
      if (!(error instanceof ApiError)) throw error;
      if ([0, 401, 502, 504].includes(error.status)) {
        await Promise.race([tools.untilAnswered(), brokenOff(tools.signal?.())]);
      } else if (error.passing && busy < BUSY_TRIES) {
        await sleep(Math.max(error.retryAfter * 1000, backoff(busy)));
        busy += 1;
      } else {
        throw error;
      }
    }
  }
}

/** @param {AbortSignal} [signal] */
function brokenOff(signal) {
  return new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
}

/** @param {Item} item @param {Tools} tools @returns {Promise<import('../api.js').Upload | null>} null: the server never heard of it */
async function asked(item, tools) {
  return patiently(tools, async () => {
    try {
      return await api.upload(item.uploadId);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  });
}

/** If the upload has ended or is queued, that is the result. @param {Item} item @param {import('../api.js').Upload | null} state @param {Tools} tools */
function adopt(item, state, tools) {
  if (!state || state.status === 'receiving') return false;
  if (state.status === 'failed') {
    item.uploadId = newUploadId();
    forgetId(item);
    return false;
  }
  forgetId(item);
  ended(item, state, tools);
  return true;
}

/** @param {Item} item @param {import('../api.js').Upload} answer @param {Pick<Tools, 'update'>} tools */
export function ended(item, answer, tools) {
  // The event that says "sealed" may overtake the answer that says "queued".
  if (item.state === 'sealed' || item.state === 'already') return;
  if (answer.status === 'failed') {
    tools.update(item, { state: 'failed', error: answer.message ?? 'the server could not seal it', code: answer.code ?? '' });
  } else {
    const state = answer.already_archived ? 'already' : answer.status === 'sealed' ? 'sealed' : 'queued';
    tools.update(item, { state, sent: item.size, assetId: answer.asset_id ?? 0 });
  }
}

/** @param {import('../api.js').Upload | null} state @param {number} size */
function partsThere(state, size) {
  const have = new Set();
  for (const part of state?.parts ?? []) if (part.size === partSize(part.index, size)) have.add(part.index);
  return have;
}

/** @param {number} index @param {number} size */
export function partSize(index, size) {
  return Math.max(0, Math.min(PART_BYTES, size - index * PART_BYTES));
}

export function newUploadId() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** @param {any} error @param {Item} item */
function explained(error, item) {
  const name = `“${visibleName(item.name)}”`;
  if (error?.name === 'AbortError') return { code: 'cancelled', error: 'Cancelled before it was sent.' };
  if (error instanceof ApiError) {
    if (['digest_differs', 'part_differs', 'size_differs'].includes(error.code)) {
      return { code: error.code, error: `${name} changed while it was being read and was not archived. Retry when it rests.` };
    }
    return { code: error.code, error: error.message };
  }
  return { code: 'unreadable', error: `${name} could not be read: ${reasonOf(error)}.` };
}
