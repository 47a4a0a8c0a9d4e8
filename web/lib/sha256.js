// SHA-256 (FIPS 180-4), by the browser's own where it has one and the file fits in memory. Browsers offer only the whole-message
// digest, and not at all on plain HTTP under another host name, so large files and such pages are hashed in small steps.

import { hexOf } from './hex.js';

const WHOLE_MAX_BYTES = 64 * 1024 * 1024;
const SLICE_BYTES = 8 * 1024 * 1024;

/** The standard's constants: the first 32 bits after the point of the roots of the first primes. @param {number} n @param {(prime: number) => number} root */
function fractions(n, root) {
  const primes = [];
  for (let k = 2; primes.length < n; k += 1) if (primes.every((prime) => k % prime !== 0)) primes.push(k);
  return Int32Array.from(primes, (prime) => (root(prime) % 1) * 2 ** 32);
}
const K = fractions(64, Math.cbrt);
const BEGIN = fractions(8, Math.sqrt);

export class Sha256 {
  constructor() {
    this.state = BEGIN.slice();
    this.words = new Int32Array(64);
    this.tail = new Uint8Array(64);
    this.tailLength = 0;
    this.length = 0;
  }

  /** @param {Uint8Array} data */
  update(data) {
    this.length += data.length;
    let at = 0;
    if (this.tailLength > 0) {
      at = Math.min(64 - this.tailLength, data.length);
      this.tail.set(data.subarray(0, at), this.tailLength);
      this.tailLength += at;
      if (this.tailLength < 64) return this;
      this.compress(this.tail, 0);
      this.tailLength = 0;
    }
    for (; at + 64 <= data.length; at += 64) this.compress(data, at);
    this.tail.set(data.subarray(at), 0);
    this.tailLength = data.length - at;
    return this;
  }

  /** Ends the message; the object is of no further use. Returns 64 hex digits. */
  hex() {
    const { length } = this;
    const padding = new Uint8Array(((119 - (length % 64)) % 64) + 9);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(length / 0x20000000));
    view.setUint32(padding.length - 4, (length << 3) >>> 0);
    this.update(padding);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** @param {Uint8Array} data @param {number} at */
  compress(data, at) {
    const { words: w, state } = this;
    for (let i = 0, j = at; i < 16; i += 1, j += 4) {
      w[i] = (data[j] << 24) | (data[j + 1] << 16) | (data[j + 2] << 8) | data[j + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    // Not taken apart as a list: that would take longer than all of the rounds.
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let f = state[5];
    let g = state[6];
    let h = state[7];
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

/** @param {Blob} file @returns {Promise<string>} 64 hex digits */
export async function digest(file) {
  if (file.size <= WHOLE_MAX_BYTES && globalThis.crypto?.subtle) {
    return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())));
  }
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += SLICE_BYTES) hash.update(new Uint8Array(await file.slice(at, at + SLICE_BYTES).arrayBuffer()));
  return hash.hex();
}
