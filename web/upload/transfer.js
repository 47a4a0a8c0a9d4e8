// Brings one file to the server: a small one in one request, shared with others where they are ready too, a larger one in
// parts, then `complete`. Survives lost answers, a server that is away or busy, and a restart of it, by sending a small file
// again, and of a larger one only the parts that are not there.

import { ApiError, addressOf, api } from '../api.js';
import { Gate, backoff, eachLimited, sleep } from '../lib/queue.js';
import { hexOf } from '../lib/hex.js';
import { quoted, set } from '../lib/html.js';
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
 *   signal: () => AbortSignal, untilResumed: () => Promise<void>}} Tools signal: breaks off what is on its way; untilResumed: throws
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
  const { hasher, signal, untilAnswered, untilResumed } = tools;
  item.found.file ??= await reread(item);
  const { file } = item.found;
  const { size, lastModified: modified } = file;
  const parts = Math.ceil(size / PART_BYTES);
  if (item.maybeThere && size >= LARGE_BYTES && (await isThere())) return;
  const whole = parts <= 1 && addressFor(item, file, '').length < ADDRESS_MOST;
  update({ state: whole ? 'hashing' : 'receiving', size, modified, sent: 0 });
  await (whole ? sendWhole() : sendInParts());

  /** @param {Partial<Item>} change */
  function update(change) {
    tools.update(item, change);
  }

  async function hash() {
    item.sha256 ||= item.found.sha256 ?? (await hasher.sha256(file));
    return item.sha256;
  }

  /** Hashes ahead and asks, where sending would cost more. */
  async function isThere() {
    // What was hashed before it came here was asked about then.
    if (item.found.sha256) return false;
    update({ state: 'hashing', size, modified, sent: 0 });
    item.found.sha256 = await hash();
    const { known: [known] } = await patiently(() => api.known(item.collectionId, [questionOf(item.found, item.prefix)]));
    if (known) update({ state: 'already', sent: size, assetId: known.asset_id });
    return Boolean(known);
  }

  async function sendWhole() {
    // The digest leaves with the bytes, so it comes first: a file that changes in between is refused.
    const sha256 = await hash();
    update({ state: 'receiving' });
    const onProgress = (sent) => update({ sent: Math.min(sent, size) });
    // Where the module does not arrive, each goes alone: that costs time and nothing else.
    const { carry } = await import('./together.js').catch(() => ({ carry: sendAlone }));
    // Sent again after a lost answer, it is found to be there already.
    const answer = await patiently(() => carry(item, file, sha256, { onProgress, signal: signal() }));
    if (answer.upload_id) item.uploadId = answer.upload_id;
    ended(item, answer, tools);
  }

  async function sendInParts() {
    const hashing = hash();
    // Whoever fails first ends the upload; the other's failure must not go unheard as an unhandled rejection.
    let hashed = false;
    hashing.then(() => { hashed = true; }, () => {});

    let have = new Set();
    const earlier = parts > 1 ? rememberedId(item) : undefined;
    sendAs(earlier ?? item.uploadId);
    // What was never begun need not be asked about.
    if (item.begun || earlier) {
      const asId = item.uploadId;
      const state = await ask();
      if (adopt(state)) return;
      if (item.uploadId === asId) have = partsThere(state, size);
    }
    item.begun = true;

    for (let attempt = 0; ; attempt += 1) {
      try {
        await sendParts(have);
        if (!hashed) update({ state: 'hashing', sent: size });
        const sha256 = await hashing;
        update({ state: 'receiving', sent: size });
        const answer = await patiently(() => api.completeUpload({
          upload_id: item.uploadId, filename: item.name, collection_id: item.collectionId, path_prefix: item.prefix,
          total_size: size, parts, sha256, modified,
        }));
        forgetId(item);
        ended(item, answer, tools);
        return;
      } catch (error) {
        if (error.status !== 409 || attempt >= COMPLETE_TRIES) throw error;
        // The server knows better which parts it has, or what became of the upload.
        const state = await ask();
        if (adopt(state)) return;
        if (error.code === 'part_differs' || (error.code === 'digest_differs' && attempt === 0 && have.size > 0)) {
          // Parts of an earlier try with other bytes lie under this number: begin anew.
          sendAs(newUploadId());
          have = new Set();
        } else if (error.code === 'parts_missing') {
          have = partsThere(state, size);
        } else {
          throw error;
        }
      }
    }
  }

  /** @param {string} uploadId */
  function sendAs(uploadId) {
    item.uploadId = uploadId;
    if (parts > 1) rememberId(item, uploadId);
  }

  /** @param {Set<number>} have */
  async function sendParts(have) {
    /** Bytes that have left, by part. @type {Map<number, number>} */
    const sent = new Map();
    const report = (index, n) => {
      sent.set(index, Math.min(n, partSize(index, size)));
      update({ state: 'receiving', sent: [...sent.values()].reduce((sum, part) => sum + part, 0) });
    };
    const indices = Array.from({ length: parts }, (_, index) => index);
    for (const index of have) report(index, PART_BYTES);
    await eachLimited(indices.filter((index) => !have.has(index)), PARTS_IN_FLIGHT, async (index) => {
      const body = file.slice(index * PART_BYTES, index * PART_BYTES + PART_BYTES);
      const sendPart = () => api.sendPart(item.uploadId, index, body, { signal: signal(), onProgress: (n) => report(index, n) });
      await patiently(() => sendBlob(body, sendPart).catch((error) => {
        sent.delete(index);
        throw error;
      }));
      report(index, body.size);
    });
  }

  /** Tries again for as long as trying again makes sense. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async function patiently(work) {
    for (let busy = 0; ; ) {
      if (signal().aborted) await untilResumed();
      try {
        return await work();
      } catch (error) {
        if (error?.name === 'AbortError' && error === signal().reason) continue;
        if (!(error instanceof ApiError)) throw error;
        if ([0, 401, 502, 504].includes(error.status)) {
          await Promise.race([untilAnswered(), new Promise((resolve) => set(signal(), { onabort: resolve }))]);
        } else if (error.passing && busy < BUSY_TRIES) {
          await sleep(Math.max(error.retryAfter * 1000, backoff(busy)));
          busy += 1;
        } else {
          throw error;
        }
      }
    }
  }

  /** @returns {Promise<import('../api.js').Upload | null>} null: the server never heard of it */
  function ask() {
    return patiently(() => api.upload(item.uploadId).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    }));
  }

  /** If the upload has ended or is queued, that is the result. @param {import('../api.js').Upload | null} state */
  function adopt(state) {
    if (!state || state.status === 'receiving') return false;
    forgetId(item);
    const over = state.status !== 'failed';
    if (over) ended(item, state, tools);
    else item.uploadId = newUploadId();
    return over;
  }
}

/** @param {Item} item @param {File} file @param {string} sha256 */
function addressFor(item, file, sha256) {
  return addressOf.file(item.collectionId, { filename: item.name, path: item.prefix, modified: file.lastModified, sha256 });
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
    if (error.status === 0) await body.slice(0, 1).arrayBuffer();
    throw error;
  }
}

/** @param {Item} item */
function reread({ found: { reread: again, error } }) {
  if (!again) throw new Error(error || 'it could not be read');
  return again();
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
  return new Set((state?.parts ?? []).filter((part) => part.size === partSize(part.index, size)).map(({ index }) => index));
}

/** @param {number} index @param {number} size */
function partSize(index, size) {
  return Math.min(PART_BYTES, size - index * PART_BYTES);
}

export function newUploadId() {
  return `page-${hexOf(crypto.getRandomValues(new Uint8Array(16)))}`;
}

/** What is said of a file that failed for this. @param {any} error @param {Item} item */
export function explained(error, { name }) {
  if (error?.name === 'AbortError') return { code: 'cancelled', error: 'Cancelled before it was sent.' };
  if (!(error instanceof ApiError)) return { code: 'unreadable', error: `${quoted(name)} could not be read: ${reasonOf(error)}.` };
  const { code, message } = error;
  const changed = ['digest_differs', 'part_differs', 'size_differs'].includes(code);
  return { code, error: changed ? `${quoted(name)} changed while it was being read and was not archived. Retry when it rests.` : message };
}
