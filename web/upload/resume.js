// Remembers which upload a large file was being sent as, so that dropping the same file again after a reload goes on where
// it stopped. Only files of several parts are worth it; the list is short and forgets after a week, as the server does.

import { habits } from '../state.js';

const KEPT_MS = 7 * 24 * 3600 * 1000;
const KEPT_MOST = 200;

/** @param {{collectionId: number, prefix: string, name: string, size: number, modified: number}} item */
function keyOf({ collectionId, prefix, name, size, modified }) {
  return JSON.stringify([collectionId, prefix, name, size, modified]);
}

/** @returns {[string, string, number][]} key, upload id, since when */
function load() {
  try {
    return JSON.parse(habits.get('unfinished', '[]')).filter(([, , since]) => since > Date.now() - KEPT_MS);
  } catch {
    return [];
  }
}

/** @param {[string, string, number][]} list */
function store(list) {
  habits.set('unfinished', JSON.stringify(list.slice(-KEPT_MOST)));
}

/** @param {Parameters<typeof keyOf>[0]} item @returns {string | undefined} */
export function rememberedId(item) {
  const key = keyOf(item);
  return load().find((row) => row[0] === key)?.[1];
}

/** @param {Parameters<typeof keyOf>[0]} item @param {string} uploadId */
export function rememberId(item, uploadId) {
  forgetId(item);
  store([...load(), [keyOf(item), uploadId, Date.now()]]);
}

/** @param {Parameters<typeof keyOf>[0]} item */
export function forgetId(item) {
  const key = keyOf(item);
  store(load().filter((row) => row[0] !== key));
}
