// Makes elements. There is no way here to turn a string into markup: text is text, whoever wrote it.

import { splitName, visibleName, visiblePieces } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * `h('button', {class: 'solid', 'aria-label': 'Close', onclick: close}, icon('close'))`. Keys that begin with `on` become
 * listeners, `class` the class, true and false set and leave out an attribute; everything else is an attribute.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.className = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
  return element;
}

/** @param {string} name of a symbol in the sprite of index.html */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(SVG, 'use'));
  setIcon(svg, name);
  return svg;
}

/** @param {Element} svg @param {string} name */
export function setIcon(svg, name) {
  svg.firstElementChild?.setAttribute('href', `#i-${name}`);
}

/**
 * A file name: the stem may be cut by the box it is in, the extension never is, and characters that cannot be seen are
 * drawn as codes.
 * @param {string} name
 */
export function nameNode(name) {
  const { stem, extension } = splitName(name);
  return h('bdi', { class: 'name', dir: 'auto' },
    h('span', { class: 'stem' }, ...pieceNodes(stem)),
    extension && h('span', { class: 'extension' }, ...pieceNodes(extension)));
}

/** The whole name, free to wrap. @param {string} name */
export function fullNameNode(name) {
  return h('bdi', { class: 'full-name', dir: 'auto' }, ...pieceNodes(name));
}

/** @param {string} text */
function pieceNodes(text) {
  return visiblePieces(text).map((piece) => (piece.hidden ? h('span', { class: 'hidden-char' }, piece.text) : piece.text));
}

/** A name in quotes for a sentence. @param {string} name */
export function quoted(name) {
  return `“${visibleName(name)}”`;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

/** @param {Element} element @param {boolean} shown */
export function show(element, shown) {
  /** @type {HTMLElement} */ (element).hidden = !shown;
}

/** Writes only what differs: a text node written again is announced again and laid out again. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Is the person typing into something? @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    && !(target instanceof HTMLInputElement && /^(checkbox|radio|button|range)$/.test(target.type));
}
