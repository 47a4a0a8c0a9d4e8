// Small files that are ready at the same time share a request: within the limits, each answered for itself, none lost.

import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { beforeEach, describe, it } from 'node:test';
import { sleep } from '../lib/queue.js';
import { PAUSED, UploadSession } from '../upload/session.js';
import { BYTES_MOST, FILES_MOST, LINE_MOST, courier } from '../upload/together.js';
import { LARGE_BYTES } from '../upload/transfer.js';

/** @typedef {{filename: string, path: string, modified: number, size: number, sha256: string}} Listed */

/** A request as the server sees it, and a browser's XMLHttpRequest as far as the page uses it. */
class Request {
  status = 0;
  responseText = '';
  /** @type {any} */
  upload = {};
  /** @type {any} */
  onload = null;
  /** @type {any} */
  onerror = null;
  /** @type {any} */
  onabort = null;
  over = false;
  /** Names of the files in it. @type {string[]} */
  names = [];

  /** @param {string} _method @param {string} address */
  open(_method, address) {
    this.url = new URL(address, 'http://page.invalid');
    this.collection = Number(this.url.pathname.split('/')[3]);
    this.together = this.url.pathname.endsWith('/batch');
  }

  setRequestHeader() {}

  getResponseHeader() {
    return null;
  }

  /** @param {Blob} body */
  async send(body) {
    this.body = body;
    all.push(this);
    onTheWay += 1;
    reading += 1;
    if (this.together) {
      const text = await body.text();
      this.line = text.slice(0, text.indexOf('\n') + 1);
      /** @type {Listed[]} */
      this.list = JSON.parse(this.line);
      this.names = this.list.map(({ filename }) => filename);
    } else {
      this.names = [/** @type {string} */ (this.url?.searchParams.get('filename'))];
    }
    reading -= 1;
    most = Math.max(most, onTheWay);
    if (!this.over) answering(this);
  }

  end() {
    if (this.over) return false;
    this.over = true;
    onTheWay -= 1;
    return true;
  }

  abort() {
    if (this.end()) this.onabort();
  }

  break() {
    if (this.end()) this.onerror();
  }

  /** @param {number} status @param {any} body */
  answer(status, body) {
    if (!this.end()) return;
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload();
  }

  /** Everything in it is sealed, but for what `refused` gives an answer for. @param {(name: string) => any} [refused] */
  seal(refused = () => null) {
    const files = this.names.map((name) => refused(name) || { message: 'Upload accepted, sealed.', status: 'sealed', asset_id: Number(name) + 1 });
    for (const { status } of files) if (status === 'sealed') sealed += 1;
    if (this.together) this.answer(200, { files });
    else if (files[0].status === 'failed') this.answer(files[0].http_status, files[0]);
    else this.answer(200, files[0]);
  }
}
/** @type {any} */ (globalThis).XMLHttpRequest = Request;
// All requests of an upload listen to one signal; node takes more than ten for a mistake.
setMaxListeners(0);

/** @type {Request[]} */
let all = [];
let onTheWay = 0;
let reading = 0;
let most = 0;
let sealed = 0;
/** @type {(request: Request) => void} */
let answering = () => {};

beforeEach(() => {
  all = [];
  onTheWay = 0;
  most = 0;
  sealed = 0;
  answering = () => {};
});

const SHA256 = 'ab'.repeat(32);

/** @param {number} number @param {{collectionId?: number, size?: number, prefix?: string}} [facts] @returns {any} */
function itemOf(number, { collectionId = 7, size = 3, prefix = 'x/é/' } = {}) {
  const file = new File([new Uint8Array(size).fill(48 + (number % 10))], String(number), { lastModified: 1234 });
  return { found: { file, name: file.name, folders: [], error: '' }, name: file.name, prefix, collectionId };
}

/** @param {ReturnType<typeof courier>} carry @param {any} item @param {any} [how] */
const send = (carry, item, how = {}) => carry(item, item.found.file, SHA256, how);

/** @param {number} n @param {Parameters<typeof itemOf>[1]} [facts] */
const items = (n, facts) => Array.from({ length: n }, (_, i) => itemOf(i, facts));

/** Until requests have left and were read. */
async function settle() {
  do await sleep(5);
  while (reading > 0);
}

describe('small files', () => {
  it('leave together when they are ready together, in order, with all that is known of them', async () => {
    const carry = courier();
    const answers = items(3).map((item) => send(carry, item));
    await settle();
    assert.equal(all.length, 1);
    assert.equal(all[0].url?.pathname, '/api/collections/7/batch');
    assert.deepEqual(all[0].list, [0, 1, 2].map((n) => ({ filename: String(n), path: 'x/é/', modified: 1234, size: 3, sha256: SHA256 })));
    assert.equal(await all[0].body?.text(), `${all[0].line}000111222`);
    all[0].seal();
    assert.deepEqual((await Promise.all(answers)).map(({ status, asset_id: id }) => [status, id]), [['sealed', 1], ['sealed', 2], ['sealed', 3]]);
  });

  it('go alone when nobody else is ready, and together with all who became ready meanwhile', async () => {
    const carry = courier();
    const answers = [];
    for (const item of items(9)) {
      answers.push(send(carry, item));
      await settle();
    }
    assert.deepEqual(all.map(({ url, names }) => [url?.pathname, ...names]), [['/api/collections/7/assets', '0']]);
    assert.deepEqual(Object.fromEntries(all[0].url?.searchParams ?? []), { filename: '0', path: 'x/é/', modified: '1234', sha256: SHA256 });
    all[0].seal();
    await settle();
    assert.deepEqual(all[1].names, ['1', '2', '3', '4', '5', '6', '7', '8']);
    all[1].seal();
    assert.equal((await Promise.all(answers)).length, 9);
  });

  it('leave while others are on their way once they fill half a request', async () => {
    const carry = courier();
    const answers = [];
    for (const item of items(FILES_MOST / 2)) {
      answers.push(send(carry, item));
      await settle();
    }
    assert.equal(all.length, 1, 'one is on its way, and too few follow');
    answers.push(send(carry, itemOf(99)));
    await settle();
    assert.equal(all[1].names.length, FILES_MOST / 2);
    for (const request of all) request.seal();
    await Promise.all(answers);
  });

  it('never are more at once than the limits say', async () => {
    answering = (request) => void sleep(1).then(() => request.seal());
    const carry = courier();
    const long = `${'é'.repeat(300)}/`;
    await Promise.all([
      ...items(200).map((item) => send(carry, item)),
      ...items(40, { size: LARGE_BYTES - 1 }).map((item) => send(carry, item)),
      ...items(130, { prefix: long.repeat(3) }).map((item) => send(carry, item)),
    ]);
    assert.equal(sealed, 370);
    assert.equal(most, 2);
    for (const { list, line, body, together } of all) {
      assert.ok(together, 'everybody found company');
      assert.ok(list && list.length <= FILES_MOST && list.reduce((sum, { size }) => sum + size, 0) <= BYTES_MOST);
      assert.ok(Buffer.byteLength(line ?? '') <= LINE_MOST);
      assert.equal(body?.size, Buffer.byteLength(line ?? '') + list.reduce((sum, { size }) => sum + size, 0));
    }
    assert.ok(all.length < 40);
  });

  it('share a request with those of their own collection only, and leave the page its connections', async () => {
    const carry = courier();
    const answers = [1, 2, 3, 4, 5, 6].flatMap((collectionId) => items(3, { collectionId }).map((item) => send(carry, item)));
    await settle();
    assert.deepEqual(all.map(({ collection, names }) => [collection, names.length]), [[1, 3], [2, 3], [3, 3], [4, 3]]);
    answering = (request) => request.seal();
    for (const request of [...all]) request.seal();
    await Promise.all(answers);
    assert.deepEqual([sealed, most], [18, 4]);
  });

  it('are told one by one how far they are', async () => {
    const carry = courier();
    const sent = [0, 0, 0];
    const answers = items(3, { size: 10 }).map((item, i) => send(carry, item, { onProgress: (/** @type {number} */ n) => { sent[i] = n; } }));
    await settle();
    const ahead = Buffer.byteLength(all[0].line ?? '');
    for (const [loaded, expected] of /** @type {[number, number[]][]} */ ([[ahead - 1, [0, 0, 0]], [ahead + 4, [4, 0, 0]], [ahead + 25, [10, 10, 5]]])) {
      all[0].upload.onprogress({ loaded });
      assert.deepEqual(sent, expected);
    }
    all[0].seal();
    await Promise.all(answers);
    assert.deepEqual(sent, [10, 10, 10]);
  });

  it('fail alone when one is refused', async () => {
    const carry = courier();
    const answers = Promise.allSettled(items(3).map((item) => send(carry, item)));
    await settle();
    all[0].seal((name) => name === '1' && { status: 'failed', http_status: 422, code: 'digest_differs', message: 'no' });
    const [a, b, c] = await answers;
    assert.deepEqual([a.status, b.status, c.status], ['fulfilled', 'rejected', 'fulfilled']);
    const { reason } = /** @type {PromiseRejectedResult} */ (b);
    assert.deepEqual([reason.name, reason.status, reason.code, reason.message], ['ApiError', 422, 'digest_differs', 'no']);
  });

  it('are told alone what is wrong with them when a request is refused as a whole', async () => {
    const refused = (/** @type {string} */ name) => name === '1' && { status: 'failed', http_status: 400, code: 'name_invalid', message: 'no' };
    answering = (request) => (request.together ? request.answer(400, { code: 'name_invalid', message: 'no' }) : request.seal(refused));
    const carry = courier();
    const answers = await Promise.allSettled(items(5).map((item) => send(carry, item)));
    assert.deepEqual(answers.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
    assert.equal(sealed, 4);
  });

  it('are all told of a server that is busy', async () => {
    answering = (request) => request.answer(503, { code: 'busy', message: 'later' });
    const carry = courier();
    const answers = await Promise.allSettled(items(3).map((item) => send(carry, item)));
    assert.deepEqual(answers.map((answer) => /** @type {any} */ (answer).reason.code), ['busy', 'busy', 'busy']);
    assert.equal(all.length, 1);
  });

  it('go alone after two broken requests, so that one cannot hold up the others for good', async () => {
    answering = (request) => (request.names.includes('1') ? request.break() : request.seal());
    const carry = courier();
    const three = items(3);
    for (let turn = 0; turn < 2; turn += 1) {
      const answers = await Promise.allSettled(three.map((item) => send(carry, item)));
      assert.deepEqual(answers.map((answer) => /** @type {any} */ (answer).reason.status), [0, 0, 0]);
    }
    const answers = await Promise.allSettled(three.map((item) => send(carry, item)));
    assert.deepEqual(answers.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
    assert.deepEqual(all.map(({ together }) => together), [true, true, false, false, false]);
  });

  it('do not leave when they were told to stop before', async () => {
    const carry = courier();
    const breaking = new AbortController();
    const answers = Promise.allSettled(items(3 * FILES_MOST).map((item) => send(carry, item, { signal: breaking.signal })));
    await settle();
    breaking.abort(PAUSED);
    assert.ok((await answers).every((answer) => /** @type {any} */ (answer).reason === PAUSED));
    assert.deepEqual([all.length, onTheWay], [2, 0]);
    answering = (request) => request.seal();
    await Promise.all(items(3).map((item) => send(carry, item)));
    assert.equal(sealed, 3);
  });

  it('are not broken off with those who were told to stop', async () => {
    const carry = courier();
    const breaking = new AbortController();
    const told = Promise.allSettled(items(2 * FILES_MOST + 5).map((item) => send(carry, item, { signal: breaking.signal })));
    const { signal } = new AbortController();
    const others = items(3).map((item) => send(carry, item, { signal }));
    await settle();
    answering = (request) => request.seal();
    breaking.abort(PAUSED);
    await Promise.all(others);
    assert.ok((await told).every(({ status }) => status === 'rejected'));
    assert.equal(sealed, 3);
  });
});

describe('an upload of many small files', () => {
  /** @param {any[]} which */
  function uploadOf(which) {
    const session = new UploadSession();
    /** @type {any} */ (session).hasher = { sha256: async () => SHA256 };
    session.untilAnswered = () => sleep(1);
    const finished = new Promise((resolve) => session.addEventListener('finished', resolve, { once: true }));
    session.add(which.map(({ found, prefix, collectionId }) => ({ found, prefix, collectionId })));
    return { session, finished };
  }

  it('takes few requests, and the sums agree', async () => {
    answering = (request) => void sleep(1).then(() => request.seal());
    const { session, finished } = uploadOf(items(1000));
    let inHand = 0;
    session.addEventListener('change', () => {
      inHand = Math.max(inHand, session.counts.hashing + session.counts.receiving);
    });
    await finished;
    assert.deepEqual([session.counts.sealed, session.found, session.sentBytes, session.unsentBytes], [1000, 1000, 3000, 0]);
    assert.equal(inHand, 128);
    assert.equal(sealed, 1000);
    assert.ok(all.length < 60, `${all.length} requests`);
  });

  it('loses nothing to broken connections', async () => {
    let breaks = 0;
    answering = (request) => void sleep(1).then(() => {
      if (all.length % 3 === 1 && breaks < 10) {
        breaks += 1;
        request.break();
      } else {
        request.seal();
      }
    });
    const { session, finished } = uploadOf(items(500));
    await finished;
    assert.deepEqual([session.counts.sealed, sealed, breaks > 1], [500, 500, true]);
  });

  it('names the file that can no longer be read, and brings the others', async () => {
    const unreadable = new DOMException('gone', 'NotFoundError');
    answering = (request) => (request.names.includes('20') ? request.break() : request.seal());
    const which = items(50);
    Object.assign(which[20].found.file, { slice: () => ({ arrayBuffer: async () => { throw unreadable; } }) });
    const { session, finished } = uploadOf(which);
    await finished;
    assert.deepEqual([session.counts.sealed, session.counts.failed], [49, 1]);
    assert.deepEqual([session.items[20].state, session.items[20].code], ['failed', 'unreadable']);
  });

  it('breaks off for a pause, sends nothing in it, and goes on after it', async () => {
    const { session, finished } = uploadOf(items(300));
    await settle();
    assert.ok(onTheWay > 0);
    const left = all.length;
    session.pause();
    await settle();
    assert.deepEqual([onTheWay, all.length], [0, left]);
    answering = (request) => request.seal();
    session.resume();
    await finished;
    assert.deepEqual([session.counts.sealed, sealed], [300, 300]);
  });

  it('ends with a cancel, and can be tried again', async () => {
    const { session, finished } = uploadOf(items(300));
    await settle();
    all[0].seal();
    await settle();
    session.cancel();
    await finished;
    assert.deepEqual([session.counts.failed, session.counts.sealed, onTheWay], [300 - sealed, sealed, 0]);
    assert.ok(sealed > 0 && session.items.every(({ state, code }) => state === 'sealed' || code === 'cancelled'));
    answering = (request) => request.seal();
    const again = new Promise((resolve) => session.addEventListener('finished', resolve, { once: true }));
    session.retry();
    await again;
    assert.deepEqual([session.counts.sealed, session.counts.failed, sealed], [300, 0, 300]);
  });

  it('has no more large files in hand than eight', async () => {
    let hashing = 0;
    let together = 0;
    const { session, finished } = uploadOf([...items(30, { size: LARGE_BYTES }), ...items(200)]);
    /** @type {any} */ (session).hasher = {
      async sha256(/** @type {File} */ { size }) {
        if (size < LARGE_BYTES) return SHA256;
        hashing += 1;
        together = Math.max(together, hashing);
        await sleep(5);
        hashing -= 1;
        return SHA256;
      },
    };
    answering = (request) => request.seal();
    /** @type {any} */ (globalThis).fetch = async () => ({ status: 200, text: async () => '{"known": [null]}', headers: { get: () => null } });
    await finished;
    assert.deepEqual([session.counts.sealed, together], [230, 8]);
  });
});
