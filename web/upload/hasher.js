// Workers that hash files, one at a time each; who asks gets a promise. Where no worker can be had, the page does it itself.

import { digest } from '../lib/digest.js';
import { Sha256 } from '../lib/sha256.js';

const WORKERS = 2;

/** @typedef {{file: Blob, onRead: (read: number) => void, resolve: (hex: string) => void, reject: (error: unknown) => void}} Job */

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
  constructor() {
    /** @type {Job[]} */
    this.waiting = [];
    /** @type {{worker: Worker, job: Job | null, number: number}[]} */
    this.lanes = [];
  }

  /** @param {Blob} file @param {(read: number) => void} [onRead] @returns {Promise<string>} */
  sha256(file, onRead = () => {}) {
    // An empty file has one well-known digest; no need to wake anyone.
    if (file.size === 0) return Promise.resolve(new Sha256().hex());
    return new Promise((resolve, reject) => {
      this.waiting.push({ file, onRead, resolve, reject });
      this.advance();
    });
  }

  /** Workers are scripts too: on a slow line they would wait behind the first parts. Called before those leave. */
  warm() {
    while (this.lanes.length < WORKERS) this.start();
  }

  advance() {
    while (this.waiting.length > 0) {
      let lane = this.lanes.find((candidate) => candidate.job === null);
      if (!lane && this.lanes.length < WORKERS) lane = this.start();
      if (!lane) return;
      lane.job = /** @type {Job} */ (this.waiting.shift());
      lane.number += 1;
      lane.worker.postMessage({ job: lane.number, file: lane.job.file });
    }
  }

  start() {
    const address = policy ? policy.createScriptURL(workerAddress) : workerAddress;
    const worker = new Worker(/** @type {any} */ (address), { type: 'module' });
    /** @type {Hasher['lanes'][number]} */
    const lane = { worker, job: null, number: 0 };
    worker.onmessage = ({ data }) => {
      if (!lane.job || data.job !== lane.number) return;
      if (data.read !== undefined) {
        lane.job.onRead(data.read);
        return;
      }
      const job = lane.job;
      lane.job = null;
      if (data.sha256) job.resolve(data.sha256);
      else job.reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
      this.advance();
    };
    worker.onerror = () => {
      const job = lane.job;
      lane.job = null;
      this.lanes.splice(this.lanes.indexOf(lane), 1);
      worker.terminate();
      // Its script did not arrive, for one; a file must not fail for that.
      if (job) digest(job.file, job.onRead).then(job.resolve, job.reject);
      this.advance();
    };
    this.lanes.push(lane);
    return lane;
  }
}
