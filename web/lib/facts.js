// Facts about a content as the server read them, put into words. Pure. What is not known here is shown as it came.

import { clock, count, dotted } from './format.js';

/** @typedef {Record<string, string | number>} Facts */

/** @param {string | number} value */
const text = (value) => (typeof value === 'string' ? value : Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6))));
/** Numbers are put into words, words stay as they came. @param {(value: number) => string} say */
const number = (say) => (value) => (typeof value === 'number' ? say(value) : value);

/** In the order they are shown, before all others. */
const KNOWN = ('title artist album track year genre author pages producer family style glyphs vertices triangles duration frames codec channels sample_rate '
  + 'bitrate bit_depth colour orientation camera lens exposure aperture iso focal_length taken latitude longitude software comment').split(' ');
/** Where the label says more than the name does. @type {Record<string, string>} */
const LABELS = { vertices: 'Corners', bitrate: 'Bit rate', bit_depth: 'Depth', iso: 'ISO' };
/** What is not shown as it came. @type {Record<string, (value: any) => string>} */
const WORDS = {
  pages: text, glyphs: text, vertices: text, triangles: text, frames: text,
  duration: number((s) => (s < 10 ? `${Math.round(s * 100) / 100} s` : clock(s))),
  channels: (n) => ({ 1: '1 (mono)', 2: '2 (stereo)' }[n] ?? text(n)),
  sample_rate: number((hz) => `${text(hz / 1000)} kHz`),
  bitrate: number((bits) => `${text(Math.round(bits / 1000))} kbit/s`),
  bit_depth: number((bits) => `${bits} bit`),
  exposure: number((s) => (s > 0 && s < 1 ? `1/${Math.round(1 / s)} s` : `${text(s)} s`)),
  aperture: number((f) => `f/${text(f)}`),
  focal_length: number((mm) => `${text(mm)} mm`),
};

/** @param {Facts} facts */
function dimensions({ width, height }) {
  return width && height ? `${text(width)} × ${text(height)}` : '';
}

/** @param {string} key */
function labelOf(key) {
  return LABELS[key] ?? key.charAt(0).toUpperCase() + key.slice(1).replaceAll('_', ' ');
}

/** @param {Facts} facts @param {string} key */
function say(facts, key) {
  return facts[key] === undefined ? '' : (WORDS[key] ?? String)(facts[key]);
}

/** Label and words of each fact. @param {Facts} facts @returns {[string, string][]} */
export function factRows(facts) {
  const size = dimensions(facts);
  const others = Object.keys(facts).filter((key) => !KNOWN.includes(key) && !(size && (key === 'width' || key === 'height')));
  return [
    ['Dimensions', size],
    ...KNOWN.map((key) => [labelOf(key), say(facts, key)]),
  ].filter(([, words]) => words !== '').concat(others.map((key) => [labelOf(key), text(facts[key])]));
}

/** The few that stand in one line under what is shown. @param {Facts} facts */
export function factLine(facts) {
  const { iso, pages, triangles } = facts;
  return dotted(dimensions(facts), ...['camera', 'exposure', 'aperture'].map((key) => say(facts, key)), iso !== undefined && `ISO ${iso}`,
    ...['duration', 'codec', 'sample_rate'].map((key) => say(facts, key)), pages !== undefined && `${text(pages)} ${pages === 1 ? 'page' : 'pages'}`,
    triangles !== undefined && `${text(triangles)} triangles`);
}
