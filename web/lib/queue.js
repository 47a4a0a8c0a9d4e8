// Work that waits its turn: at most so much at once, in the order given. Nothing here knows what the work is.

/**
 * @template T
 */
export class WorkQueue {
  /**
   * @param {number} limit how much runs at once @param {(task: T) => Promise<void>} run must deal with its own failures
   * @param {(task: T) => number} [weigh] how much of the limit a task takes, at most all of it
   */
  constructor(limit, run, weigh = () => 1) {
    Object.assign(this, { limit, run, weigh, running: 0, paused: false });
    this.drop();
  }

  /** @param {T} task */
  add(task) {
    this.waiting.push(task);
    this.advance();
  }

  /** What has not begun is forgotten; what runs goes on. */
  drop() {
    /** @type {T[]} */
    this.waiting = [];
    this.head = 0;
  }

  /** What runs goes on. */
  pause() {
    this.paused = true;
  }

  resume() {
    this.paused = false;
    this.advance();
  }

  get length() {
    return this.waiting.length - this.head;
  }

  advance() {
    while (!this.paused && this.length > 0) {
      const task = this.waiting[this.head];
      const weight = this.weigh(task);
      if (this.running + weight > this.limit) return;
      this.head += 1;
      // Shifting an array of 100,000 once per task would be quadratic; the spent front is cut off now and then.
      if (this.head > 1024 && this.head * 2 > this.waiting.length) {
        this.waiting = this.waiting.slice(this.head);
        this.head = 0;
      }
      this.running += weight;
      Promise.resolve(task).then(this.run).catch(console.error).finally(() => {
        this.running -= weight;
        this.advance();
      });
    }
  }
}

/**
 * Runs `work` over `items`, at most `limit` at once, and waits for all. The first failure stops what has not begun.
 * @template T
 * @param {Iterable<T>} items @param {number} limit @param {(item: T) => Promise<void>} work
 */
export async function eachLimited(items, limit, work) {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  async function lane() {
    try {
      for (let next = iterator.next(); !next.done && !failed; next = iterator.next()) await work(next.value);
    } catch (error) {
      failed = true;
      throw error;
    }
  }
  await Promise.all(Array.from({ length: limit }, lane));
}

/** Lets at most so many through at once. */
export class Gate {
  /** @type {(() => void)[]} */
  waiting = [];

  /** @param {number} limit */
  constructor(limit) {
    this.free = limit;
  }

  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async through(work) {
    if (this.free > 0) this.free -= 1;
    else await new Promise((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

/** Milliseconds to wait before try number `attempt` (from 0): doubling, capped, and spread so that lanes do not march in step. @param {number} attempt @param {number} [random] */
export function backoff(attempt, random = Math.random()) {
  const base = Math.min(15_000, 500 * 2 ** Math.min(attempt, 10));
  return base * (0.75 + random * 0.5);
}

/** @param {number} ms @param {AbortSignal} [signal] */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

/**
 * Calls `work` at most once per `ms`, the last call always counts.
 * @param {number} ms @param {() => void} work
 */
export function throttled(ms, work) {
  let due = false;
  let last = 0;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      last = Date.now();
      work();
    }, Math.max(0, last + ms - Date.now()));
  };
}
