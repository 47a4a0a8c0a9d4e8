// What is said in passing: a toast that echoes a small act, words for screen readers, and copying to the clipboard.

import { byId, h } from '../lib/html.js';

const TOAST_MS = 6000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** One at a time; never for errors, never the only place something is said. @param {string} text */
export function toast(text) {
  const place = byId('toast');
  const note = h('span', text);
  place.replaceChildren(note);
  const leave = () => note.remove();
  clearTimeout(timer);
  timer = setTimeout(leave, TOAST_MS);
  note.addEventListener('pointerenter', () => clearTimeout(timer));
  note.addEventListener('pointerleave', () => {
    timer = setTimeout(leave, TOAST_MS);
  });
}

/** @param {string} text */
export function speak(text) {
  byId('spoken').textContent = text;
}

/** Copies what no element shows. Where the page may not (plain HTTP under another host name), it says why. @param {string} text @param {string} what */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    toast('Copying needs HTTPS here.');
  }
}

/**
 * Copies, or where the page may not (plain HTTP under another host name), selects the text and says so.
 * @param {string} text @param {string} what such as "Hash" @param {HTMLElement} shown the element that shows it
 */
export async function copy(text, what, shown) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    getSelection()?.selectAllChildren(shown);
    toast(`Copying needs HTTPS here. The ${what.toLowerCase()} is selected: press Ctrl+C.`);
  }
}
