// The SHA-256 of a file, by the browser's own where it has one and the file fits in memory, else in slices.

import { hexOf } from './hex.js';
import { Sha256 } from './sha256.js';

const WHOLE_MAX_BYTES = 64 * 1024 * 1024;
const SLICE_BYTES = 8 * 1024 * 1024;

/** @param {Blob} file @returns {Promise<string>} 64 hex digits */
export async function digest(file) {
  if (file.size <= WHOLE_MAX_BYTES && globalThis.crypto?.subtle) {
    return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())));
  }
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += SLICE_BYTES) hash.update(new Uint8Array(await file.slice(at, at + SLICE_BYTES).arrayBuffer()));
  return hash.hex();
}
