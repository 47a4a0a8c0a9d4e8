// Workers that hash files, one at a time each; who asks gets a promise. Where no worker can be had, the page does it itself.

import { digest } from '../lib/sha256.js';
import { Gate } from '../lib/queue.js';

const WORKERS = 2;

// The page's policy lets scripts come only from addresses that a policy named `cv` has passed; this one knows the worker
// and refuses everything else.
const workerAddress = new URL('../workers/hash_worker.js', import.meta.url).href;
const policy = globalThis.trustedTypes?.createPolicy('cv', {
  createScriptURL(address) {
    if (address !== workerAddress) throw new TypeError('not one of our workers');
    return address;
  },
});

export class Hasher {
  gate = new Gate(WORKERS);
  /** With nothing to do. @type {Worker[]} */
  free = [];

  /** @param {Blob} file @returns {Promise<string>} */
  sha256(file) {
    return this.gate.through(() => new Promise((resolve, reject) => {
      const worker = this.free.pop() ?? this.start();
      worker.onmessage = ({ data: { sha256, error } }) => {
        this.free.push(worker);
        if (sha256) resolve(sha256);
        else reject(Object.assign(new Error(error.message), { name: error.name }));
      };
      // Its script did not arrive, for one; a file must not fail for that.
      worker.instead = () => resolve(digest(file));
      worker.postMessage(file);
    }));
  }

  /** Workers are scripts too: on a slow line they would wait behind the first parts. Called before those leave. */
  warm() {
    while (this.free.length < this.gate.free) this.free.push(this.start());
  }

  start() {
    const worker = new Worker(policy ? policy.createScriptURL(workerAddress) : workerAddress, { type: 'module' });
    worker.onerror = () => {
      this.free = this.free.filter((other) => other !== worker);
      worker.instead?.();
    };
    return worker;
  }
}
