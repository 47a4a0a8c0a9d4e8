// Hashes files off the main thread, one after the other. Takes a file, answers {sha256} or {error}.

import { digest } from '../lib/sha256.js';

self.onmessage = async ({ data: file }) => {
  try {
    self.postMessage({ sha256: await digest(file) });
  } catch ({ name, message }) {
    self.postMessage({ error: { name, message } });
  }
};
