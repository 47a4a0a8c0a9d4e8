// How a file travels: a small one in one request, a larger one in parts; after a lost answer or a busy server again.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { PART_BYTES, transfer } from '../upload/transfer.js';

/** @typedef {{method: string, url: URL, size: number}} Sent */
/** @type {Sent[]} */
let sent = [];
/** @type {((request: Sent) => {status: number, body?: any} | null)} null: the connection breaks */
let answer = () => null;

/** As much of a browser's as the page uses. */
class FakeXhr {
  status = 0;
  responseText = '';
  upload = {};
  /** @type {() => void} */
  onload = () => {};
  /** @type {() => void} */
  onerror = () => {};

  /** @param {string} method @param {string} address */
  open(method, address) {
    this.request = { method, url: new URL(address, 'http://x'), size: 0 };
  }

  setRequestHeader() {}

  getResponseHeader() {
    return null;
  }

  /** @param {Blob} body */
  send(body) {
    const request = /** @type {Sent} */ (this.request);
    request.size = body.size;
    sent.push(request);
    const given = answer(request);
    queueMicrotask(() => {
      if (!given) return this.onerror();
      this.status = given.status;
      this.responseText = JSON.stringify(given.body ?? {});
      return this.onload();
    });
  }
}
/** @type {any} */ (globalThis).XMLHttpRequest = FakeXhr;
/** @type {any} */ (globalThis).fetch = async (/** @type {string} */ address, /** @type {any} */ { method }) => {
  const request = { method, url: new URL(address, 'http://x'), size: 0 };
  sent.push(request);
  const given = answer(request);
  if (!given) throw new TypeError('broken');
  return { status: given.status, text: async () => JSON.stringify(given.body ?? {}), headers: { get: () => null } };
};

/** @param {number} size @param {Record<string, any>} [facts] @returns {any} */
function itemOf(size, facts = {}) {
  const file = new File([new Uint8Array(size)], 'a é&.bin', { lastModified: 1234 });
  return { found: { file }, name: file.name, size, prefix: 'x/y&z/', collectionId: 7, uploadId: 'mine', begun: false, state: 'waiting', sent: 0, ...facts };
}

const { signal } = new AbortController();
/** @type {any} */
const tools = {
  signal: () => signal,
  hasher: { sha256: async () => 'ab'.repeat(32) },
  untilAnswered: async () => {},
  update: (/** @type {any} */ item, /** @type {any} */ change) => Object.assign(item, change),
};

describe('a file on its way', () => {
  beforeEach(() => {
    sent = [];
  });

  it('is one request if it is small, with all that is known of it', async () => {
    for (const size of [0, 1, PART_BYTES]) {
      sent = [];
      answer = () => ({ status: 200, body: { status: 'sealed', asset_id: 9 } });
      const item = itemOf(size);
      await transfer(item, tools);
      assert.deepEqual([item.state, item.assetId, item.sent, sent.length], ['sealed', 9, size, 1]);
      const [{ method, url, size: body }] = sent;
      assert.deepEqual([method, url.pathname, body], ['POST', '/api/collections/7/assets', size]);
      assert.deepEqual(Object.fromEntries(url.searchParams), {
        filename: 'a é&.bin', path: 'x/y&z/', modified: '1234', sha256: 'ab'.repeat(32),
      });
    }
  });

  it('goes in parts if it is larger, so that it can go on where it stopped', async () => {
    answer = ({ url }) => ({ status: 200, body: url.pathname.endsWith('complete') ? { status: 'sealed', asset_id: 9 } : {} });
    const item = itemOf(PART_BYTES + 1);
    await transfer(item, tools);
    assert.equal(item.state, 'sealed');
    assert.deepEqual(sent.map(({ url, size }) => [url.pathname, size]), [
      ['/api/upload/chunk', PART_BYTES], ['/api/upload/chunk', 1], ['/api/upload/complete', 0],
    ]);
  });

  it('goes in parts if its names would make too long an address', async () => {
    answer = ({ url }) => ({ status: 200, body: url.pathname.endsWith('complete') ? { status: 'sealed', asset_id: 9 } : {} });
    const item = itemOf(1, { prefix: 'é'.repeat(200).concat('/').repeat(8) });
    await transfer(item, tools);
    assert.equal(item.state, 'sealed');
    assert.deepEqual(sent.map(({ url }) => url.pathname), ['/api/upload/chunk', '/api/upload/complete']);
  });

  it('is sent again after a lost answer', async () => {
    answer = () => (sent.length === 1 ? null : { status: 200, body: { status: 'sealed', asset_id: 9, already_archived: true } });
    const item = itemOf(5);
    await transfer(item, tools);
    assert.deepEqual([item.state, item.assetId, sent.length], ['already', 9, 2]);
  });

  it('keeps the id under which the server has queued it', async () => {
    answer = () => ({ status: 200, body: { status: 'queued', upload_id: 'theirs' } });
    const item = itemOf(5);
    await transfer(item, tools);
    assert.deepEqual([item.state, item.uploadId], ['queued', 'theirs']);
  });

  it('fails with the reason that the server gives', async () => {
    answer = () => ({ status: 409, body: { code: 'digest_differs', message: 'x' } });
    const item = itemOf(5);
    await transfer(item, tools);
    assert.deepEqual([item.state, item.code], ['failed', 'digest_differs']);
    assert.match(item.error, /changed while it was being read/);
  });
});
