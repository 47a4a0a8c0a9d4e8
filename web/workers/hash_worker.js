// Hashes files off the main thread. Takes {job, file}, answers {job, read} as it goes and {job, sha256} or {job, error}.

import { Sha256 } from '../lib/sha256.js';

const WHOLE_MAX_BYTES = 64 * 1024 * 1024;
const SLICE_BYTES = 8 * 1024 * 1024;

self.onmessage = async (event) => {
  const { job, file } = event.data;
  try {
    self.postMessage({ job, sha256: await digest(file, (read) => self.postMessage({ job, read })) });
  } catch (error) {
    self.postMessage({ job, error: { name: error?.name ?? 'Error', message: String(error?.message ?? error) } });
  }
};

/** @param {Blob} file @param {(read: number) => void} onRead */
async function digest(file, onRead) {
  if (file.size <= WHOLE_MAX_BYTES && self.crypto?.subtle) {
    const hash = await self.crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += SLICE_BYTES) {
    hash.update(new Uint8Array(await file.slice(at, at + SLICE_BYTES).arrayBuffer()));
    onRead(Math.min(at + SLICE_BYTES, file.size));
  }
  return hash.hex();
}
