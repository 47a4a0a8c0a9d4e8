// The server's event stream, and whether it flows. While it does, nobody polls; when it comes back after a break, `hello`
// tells everyone to look afresh.

import { addressOf, api, connection } from './api.js';
import { emitting } from './lib/emitter.js';
import { set } from './lib/html.js';
import { backoff } from './lib/queue.js';

// Six connections serve all tabs of one browser, and a stream holds one: a tab nobody looks at gives its own back.
const HIDDEN_FOR_MS = 30_000;
/** Someone may be watching the bar that says so. */
const AWAY_MOST_MS = 4000;

/** @typedef {ReturnType<typeof eventStream>} Live */

/**
 * Fires `hello` {log_size}, `sealed` {log_size, places}, `upload` (an Upload), `verification` (a Verification), and
 * `state` when `state` changed.
 * @param {{mayRest: () => boolean}} options mayRest: false while the page waits for what the stream will say
 */
export function eventStream({ mayRest }) {
  /** @type {EventSource | undefined} */
  let source;
  let attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let doubting;
  const live = emitting({
    /** @type {'connecting' | 'live' | 'down' | 'resting'} */
    state: 'connecting',
    open,
  });
  connection.on('trouble', ({ status }) => status === 0 && doubt());
  live.on('hello', () => {
    attempt = 0;
    become('live');
    connection.emit('answered');
  });
  set(window, { ononline: () => live.state === 'down' && open() });
  set(document, {
    onvisibilitychange() {
      if (document.hidden) restLater();
      else if (live.state === 'resting') open();
    },
  });

  function open() {
    close();
    source = new EventSource(addressOf.events);
    for (const type of ['hello', 'sealed', 'upload', 'verification']) {
      source.addEventListener(type, ({ data }) => live.emit(type, JSON.parse(data)));
    }
    source.onerror = broke;
  }

  function close() {
    clearTimeout(timer);
    source?.close();
  }

  function broke() {
    close();
    become('down');
    // One request tells a server that is away from a session that has ended; api.js reports either.
    timer = setTimeout(() => api.status().then(open, () => {
      attempt += 1;
      broke();
    }), Math.min(AWAY_MOST_MS, backoff(attempt)));
  }

  /** A request found nobody there while the stream seemed to flow: ask until somebody answers, so that the page recovers by itself. */
  function doubt() {
    if (live.state === 'down') return;
    // A failure comes back here as trouble.
    doubting ??= setTimeout(() => {
      doubting = undefined;
      api.status().catch(() => {});
    }, 2000);
  }

  function restLater() {
    clearTimeout(resting);
    resting = setTimeout(() => {
      if (!document.hidden || live.state !== 'live') return;
      if (!mayRest()) {
        restLater();
        return;
      }
      close();
      become('resting');
    }, HIDDEN_FOR_MS);
  }

  /** @param {Live['state']} state */
  function become(state) {
    if (state === live.state) return;
    live.state = state;
    live.emit('state');
  }

  return live;
}
