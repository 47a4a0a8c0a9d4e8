// The SHA-256 of a file, by the browser's own where it has one and the file fits in memory, else in slices.

import { Sha256 } from './sha256.js';

const WHOLE_MAX_BYTES = 64 * 1024 * 1024;
const SLICE_BYTES = 8 * 1024 * 1024;

/** @param {Blob} file @param {(read: number) => void} onRead @returns {Promise<string>} 64 hex digits */
export async function digest(file, onRead) {
  if (file.size <= WHOLE_MAX_BYTES && globalThis.crypto?.subtle) {
    const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += SLICE_BYTES) {
    hash.update(new Uint8Array(await file.slice(at, at + SLICE_BYTES).arrayBuffer()));
    onRead(Math.min(at + SLICE_BYTES, file.size));
  }
  return hash.hex();
}
