// What is said in passing: a toast that echoes a small act, words for screen readers, and copying to the clipboard.

import { byId, h } from '../lib/html.js';

const TOAST_MS = 6000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** One at a time; never for errors, never the only place something is said. @param {string} text */
export function toast(text) {
  const stop = () => clearTimeout(timer);
  const start = () => {
    stop();
    timer = setTimeout(() => note.remove(), TOAST_MS);
  };
  const note = h('span', { onpointerenter: stop, onpointerleave: start }, text);
  byId('toast').replaceChildren(note);
  start();
}

/** @param {string} text */
export function speak(text) {
  byId('spoken').textContent = text;
}

/**
 * Copies. Where the page may not (plain HTTP under another host name), it says why and selects the text, if it is shown.
 * @param {string} text @param {string} what such as "Hash" @param {HTMLElement} [shown] the element that shows it
 */
export async function copy(text, what, shown) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    if (shown) getSelection()?.selectAllChildren(shown);
    toast(`Copying needs HTTPS here.${shown ? ` The ${what.toLowerCase()} is selected: press Ctrl+C.` : ''}`);
  }
}
