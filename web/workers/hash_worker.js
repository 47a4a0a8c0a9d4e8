// Hashes files off the main thread. Takes {job, file}, answers {job, read} as it goes and {job, sha256} or {job, error}.

import { digest } from '../lib/digest.js';

self.onmessage = async (event) => {
  const { job, file } = event.data;
  try {
    self.postMessage({ job, sha256: await digest(file, (read) => self.postMessage({ job, read })) });
  } catch (error) {
    self.postMessage({ job, error: { name: error?.name ?? 'Error', message: String(error?.message ?? error) } });
  }
};
