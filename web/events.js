// The server's event stream, and whether it flows. While it does, nobody polls; when it comes back after a break, `hello`
// tells everyone to look afresh.

import { addressOf, api, connection } from './api.js';
import { Emitter } from './lib/emitter.js';
import { backoff } from './lib/queue.js';

// Six connections serve all tabs of one browser, and a stream holds one: a tab nobody looks at gives its own back.
const HIDDEN_FOR_MS = 30_000;
/** Someone may be watching the bar that says so. */
const AWAY_MOST_MS = 4000;

/**
 * Fires `hello` {log_size, again}, `sealed` {log_size, places}, `upload` (an Upload), `verification` (a Verification), and
 * `state` when `state` changed.
 */
export class Live extends Emitter {
  /** @param {{mayRest: () => boolean}} options mayRest: false while the page waits for what the stream will say */
  constructor({ mayRest }) {
    super();
    /** @type {'connecting' | 'live' | 'down' | 'resting'} */
    this.state = 'connecting';
    this.mayRest = mayRest;
    /** @type {EventSource | null} */
    this.source = null;
    this.attempt = 0;
    this.greeted = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    connection.addEventListener('trouble', (event) => {
      if (event.detail.status === 0) this.doubt();
    });
    addEventListener('online', () => this.state === 'down' && this.open());
    document.addEventListener('visibilitychange', () => this.visibilityChanged());
  }

  open() {
    clearTimeout(this.timer);
    this.source?.close();
    const source = new EventSource(addressOf.events);
    this.source = source;
    source.addEventListener('hello', (event) => {
      this.attempt = 0;
      this.become('live');
      connection.emit('answered');
      this.emit('hello', { ...parsed(event), again: this.greeted });
      this.greeted = true;
    });
    for (const type of ['sealed', 'upload', 'verification']) {
      source.addEventListener(type, (event) => this.emit(type, parsed(event)));
    }
    source.onerror = () => this.broke();
  }

  broke() {
    this.source?.close();
    this.source = null;
    this.become('down');
    // One request tells a server that is away from a session that has ended; api.js reports either.
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      try {
        await api.status();
        this.open();
      } catch {
        this.attempt += 1;
        this.broke();
      }
    }, Math.min(AWAY_MOST_MS, backoff(this.attempt)));
  }

  /** A request found nobody there while the stream seemed to flow: ask until somebody answers, so that the page recovers by itself. */
  doubt() {
    if (this.state === 'down' || this.doubting) return;
    this.doubting = true;
    setTimeout(() => {
      this.doubting = false;
      // A failure comes back here as trouble.
      api.status().catch(() => {});
    }, 2000);
  }

  visibilityChanged() {
    if (document.hidden) {
      clearTimeout(this.restTimer);
      this.restTimer = setTimeout(() => this.rest(), HIDDEN_FOR_MS);
    } else {
      clearTimeout(this.restTimer);
      if (this.state === 'resting') this.open();
    }
  }

  rest() {
    if (!document.hidden || this.state !== 'live') return;
    if (!this.mayRest()) {
      this.restTimer = setTimeout(() => this.rest(), HIDDEN_FOR_MS);
      return;
    }
    this.source?.close();
    this.source = null;
    this.become('resting');
  }

  /** @param {Live['state']} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit('state');
  }
}

/** @param {Event} event */
function parsed(event) {
  try {
    return JSON.parse(event.data);
  } catch {
    return {};
  }
}
