// How numbers, sizes, times and file names are put into words, and what is said in more than one place. Pure: no DOM, no clock of its own.

/** The server does not answer while something is being sent. */
export const AWAY = 'Waiting for the server. What was sent is safe; the rest continues by itself.';
/** How what a visit left unsent is sent. */
export const DROP_AGAIN = 'To continue, drop the same folder again. Parts already there are not sent twice.';
/** What whoever adds or names something has to know. */
export const PERMANENT = 'Archived for good: nothing here can be changed or removed.';

const grouped = new Intl.NumberFormat('en');
const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** @param {number} n */
export function count(n) {
  return grouped.format(n);
}

/** "1 file", "1,204 files". @param {number} n @param {string} one @param {string} [many] */
export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Of the log. @param {number} n */
export function entries(n) {
  return plural(n, 'entry', 'entries');
}

/** What is there of these, side by side. @param {...any} parts */
export function dotted(...parts) {
  return parts.filter(Boolean).join(' · ');
}

/** Decimal units, at most three digits that matter: 512 B, 2.1 kB, 38.4 MB, 412 GB. @param {number} n */
export function bytes(n) {
  let value = n;
  let unit = 0;
  // 999.5 would round up to "1,000 kB", so the next unit takes over just below it.
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = value.toFixed(value >= 99.95 ? 0 : 1).replace(/\.0$/, '');
  return `${text} ${SIZE_UNITS[unit]}`;
}

const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const timeFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** "12 Mar 2024" in the reader's own time zone. @param {number} unixMs */
export function day(unixMs) {
  return Number.isFinite(unixMs) && Math.abs(unixMs) <= 8.64e15 ? dayFormat.format(unixMs) : 'unknown';
}

/** "12 Mar 2024, 14:02". @param {number} unixMs */
export function dayAndTime(unixMs) {
  const date = day(unixMs);
  return date === 'unknown' ? date : `${date}, ${timeFormat.format(unixMs)}`;
}

/** Rounded on purpose: a time left that changes each second is read as noise. @param {number} seconds */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 10) return 'a few seconds';
  if (seconds < 60) return `about ${Math.ceil(seconds / 10) * 10} s`;
  const [length, word] = seconds < 3600 ? [60, 'min'] : seconds < 172_800 ? [3600, 'h'] : [86_400, 'days'];
  return `about ${Math.round(seconds / length)} ${word}`;
}

/** "3:07", "1:02:09". @param {number} seconds */
export function clock(seconds) {
  const [h, m, s] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => String(Math.floor(part)));
  return [...(h > 0 ? [h, m.padStart(2, '0')] : [m]), s.padStart(2, '0')].join(':');
}

/**
 * Where a long name may be cut: the stem gives way, the extension stays. What looks like an extension but is longer
 * than ten characters, or a name that starts with its only dot, has none.
 * @param {string} name
 */
export function splitName(name) {
  const dot = name.lastIndexOf('.');
  const length = name.length - dot;
  if (dot <= 0 || length < 2 || length > 11 || /\s/.test(name.slice(dot))) return { stem: name, extension: '' };
  return { stem: name.slice(0, dot), extension: name.slice(dot) };
}

// Control characters, line separators, direction overrides and invisible ones: each would let a name pose as another.
// The joiners U+200C and U+200D stay out: scripts and emoji need them.
const HIDDEN = /([\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb])/u;

/**
 * A name as pieces that may be shown: plain text, and codes for characters one could not see.
 * @param {string} name
 * @returns {{text: string, hidden: boolean}[]}
 */
export function visiblePieces(name) {
  return name.split(HIDDEN).map((piece, i) => (i % 2 === 0 ? { text: piece, hidden: false }
    : { text: `U+${piece.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`, hidden: true }))
    .filter(({ text }, _, { length }) => text || length === 1);
}

/** The same as one string, for attributes and speech. @param {string} name */
export function visibleName(name) {
  return visiblePieces(name).map((piece) => (piece.hidden ? `[${piece.text}]` : piece.text)).join('');
}

/** 64 hex digits in eight groups of eight. @param {string} hex */
export function groupedHash(hex) {
  return hex.replace(/(.{8})(?=.)/g, '$1 ');
}

const TYPE_WORDS = { image: 'Image', video: 'Video', audio: 'Audio', text: 'Text', '3d': '3D', binary: 'Other' };

/** The order in which types are offered. */
export const TYPES = Object.keys(TYPE_WORDS);

/** @param {string} type @param {boolean} [many] */
export function typeWord(type, many = false) {
  const word = TYPE_WORDS[type] ?? TYPE_WORDS.binary;
  return many && ['image', 'video'].includes(type) ? `${word}s` : word;
}
