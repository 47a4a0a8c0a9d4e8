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
 * Fires `hello` {log_size}, `sealed` {log_size, places}, `upload` (an Upload), `verification` (a Verification), and
 * `state` when `state` changed.
 */
export class Live extends Emitter {
  /** @type {'connecting' | 'live' | 'down' | 'resting'} */
  state = 'connecting';
  attempt = 0;

  /** @param {{mayRest: () => boolean}} options mayRest: false while the page waits for what the stream will say */
  constructor({ mayRest }) {
    super();
    this.mayRest = mayRest;
    connection.on('trouble', ({ status }) => status === 0 && this.doubt());
    this.on('hello', () => {
      this.attempt = 0;
      this.become('live');
      connection.emit('answered');
    });
    addEventListener('online', () => this.state === 'down' && this.open());
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.restLater();
      else if (this.state === 'resting') this.open();
    });
  }

  open() {
    this.close();
    this.source = new EventSource(addressOf.events);
    for (const type of ['hello', 'sealed', 'upload', 'verification']) {
      this.source.addEventListener(type, ({ data }) => this.emit(type, JSON.parse(data)));
    }
    this.source.onerror = () => this.broke();
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
  }

  broke() {
    this.close();
    this.become('down');
    // One request tells a server that is away from a session that has ended; api.js reports either.
    this.timer = setTimeout(() => api.status().then(() => this.open(), () => {
      this.attempt += 1;
      this.broke();
    }), Math.min(AWAY_MOST_MS, backoff(this.attempt)));
  }

  /** A request found nobody there while the stream seemed to flow: ask until somebody answers, so that the page recovers by itself. */
  doubt() {
    if (this.state === 'down') return;
    // A failure comes back here as trouble.
    this.doubting ??= setTimeout(() => {
      this.doubting = undefined;
      api.status().catch(() => {});
    }, 2000);
  }

  restLater() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (!document.hidden || this.state !== 'live') return;
      if (!this.mayRest()) {
        this.restLater();
        return;
      }
      this.close();
      this.become('resting');
    }, HIDDEN_FOR_MS);
  }

  /** @param {Live['state']} state */
  become(state) {
    const changed = state !== this.state;
    this.state = state;
    if (changed) this.emit('state');
  }
}
