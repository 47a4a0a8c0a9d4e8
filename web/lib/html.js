// Makes elements, and gives what is said in them (format.js). There is no way here to turn a string into markup: text is text,
// whoever wrote it.

import { splitName, visibleName, visiblePieces } from './format.js';

export * from './format.js';

const SVG = 'http://www.w3.org/2000/svg';

/** States that go without their `aria-`. */
const STATES = 'pressed expanded selected current busy invalid rowindex colindex rowcount colcount activedescendant'.split(' ');
/** Names that stand for one or two attributes each: a tip is a label too. @type {Record<string, string[]>} */
const SHORT = { label: ['aria-label'], tip: ['title', 'aria-label'], ...Object.fromEntries(STATES.map((state) => [state, [`aria-${state}`]])) };

/**
 * Gives an element what it is to have: keys that begin with `on` become listeners, for as long as a `signal` says; everything else
 * is an attribute, which null, undefined and false take away. States (`aria-…`) are words: true and false are written.
 * What an element has already is not written again.
 * @param {any} target an element, or its id @param {Record<string, any>} props
 */
export function set(target, props) {
  const element = found(target);
  for (const [key, value] of Object.entries(props)) {
    if (key === 'signal') continue;
    if (key.startsWith('on')) {
      element.addEventListener(key.slice(2), value, { signal: props.signal });
      continue;
    }
    for (const name of SHORT[key] ?? [key]) {
      const words = value === true && !name.startsWith('aria-') ? '' : value === false && name.startsWith('aria-') ? 'false' : value;
      if (words === null || words === undefined || words === false) element.removeAttribute(name);
      else if (element.getAttribute(name) !== String(words)) element.setAttribute(name, words);
    }
  }
  return element;
}

/**
 * `h('button.solid#close', { onclick: close }, icon('close'), 'Close')`. Classes follow the tag, then the id; `set` says what
 * the properties may be, which may be left out. Children that are null, undefined or false are left out, and lists are taken
 * apart.
 * @param {string} name
 * @param {...any} children the first may be the properties
 * @returns {any}
 */
export function h(name, ...children) {
  const [look, id] = name.split('#');
  const [tag, ...classes] = look.split('.');
  const element = document.createElement(tag);
  if (tag === 'button') element.type = 'button';
  if (classes.length > 0) element.className = classes.join(' ');
  if (id) element.id = id;
  if (children[0]?.constructor === Object) set(element, children.shift());
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that is a sign only. @param {string} glyph @param {string} tip @param {() => void} onclick @param {Record<string, any>} [more] */
export function iconButton(glyph, tip, onclick, more) {
  return h('button.plain', { tip, onclick, ...more }, icon(glyph));
}

/** A line to type into. @param {Record<string, any>} props */
export function textField(props) {
  return h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', ...props });
}

/** Where it is said that something failed. @param {string} [text] */
export function problem(text = '') {
  return h('p.problem', { role: 'alert' }, text);
}

/** @param {string} name of a shape in the sprite of index.html @param {string} [size] 'big' */
export function icon(name, size = '') {
  const svg = document.createElementNS(SVG, 'svg');
  set(svg, { class: `icon ${size}`, viewBox: '0 0 16 16', 'aria-hidden': true }).append(document.createElementNS(SVG, 'use'));
  setIcon(svg, name);
  return svg;
}

/** The signs that index.html asks for. */
export function drawIcons() {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-icon]'))) element.prepend(icon(element.dataset.icon ?? ''));
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
  return h('bdi.name', h('span.stem', pieceNodes(stem)), extension && h('span.extension', pieceNodes(extension)));
}

/** The whole name, free to wrap. @param {string} name */
export function fullNameNode(name) {
  return h('bdi.full-name', pieceNodes(name));
}

/** What cannot be seen, as codes. @param {string} text */
export function pieceNodes(text) {
  return visiblePieces(text).map((piece) => (piece.hidden ? h('span.hidden-char', piece.text) : piece.text));
}

/** A name in quotes for a sentence. @param {string} name */
export function quoted(name) {
  return `“${visibleName(name)}”`;
}

/** @param {Element | string} target an element, or its id @returns {any} */
function found(target) {
  return typeof target === 'string' ? byId(target) : target;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** Pixels that a length in the reader's font size takes. @param {number} rem */
export function remPx(rem) {
  return Math.round(rem * parseFloat(getComputedStyle(document.documentElement).fontSize));
}

/** @param {Element | string} target an element, or its id @param {boolean} shown */
export function show(target, shown) {
  found(target).hidden = !shown;
}

/** Writes only what differs: a text node written again is announced again and laid out again. @param {Element | string} target an element, or its id @param {string} text */
export function setText(target, text) {
  const element = found(target);
  if (element.textContent !== text) element.textContent = text;
}

/** @type {WeakMap<Element, string>} */
const looks = new WeakMap();

/** Does it have to be drawn again? Says so where what it is drawn from is not what it was. @param {Element} element @param {...any} from */
export function differs(element, ...from) {
  const look = JSON.stringify(from);
  if (looks.get(element) === look) return false;
  looks.set(element, look);
  return true;
}

/** Other children; where one of them had the focus, the one in its place has it. @param {HTMLElement} root @param {...any} children */
export function redraw(root, ...children) {
  const id = hasFocus(root) && document.activeElement?.id;
  root.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (id) document.getElementById(id)?.focus();
}

/** Makes of work something that may be asked for often and is done once, in the next frame or so many ms later. @param {() => void} work @param {number} [ms] */
export function soon(work, ms) {
  let due = false;
  const run = () => {
    due = false;
    work();
  };
  return () => {
    if (!due) (ms ? setTimeout : requestAnimationFrame)(run, ms);
    due = true;
  };
}

/** Is the focus in it? @param {Element} element */
export function hasFocus(element) {
  return element.contains(document.activeElement);
}

/** Opens a dialog that a click beside it closes. @param {HTMLDialogElement} dialog */
export function openDialog(dialog) {
  dialog.onclick = ({ target }) => target === dialog && dialog.close();
  dialog.showModal();
}

/** Is the person typing into something? @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    && !(target instanceof HTMLInputElement && /^(checkbox|radio|button|range)$/.test(target.type));
}
