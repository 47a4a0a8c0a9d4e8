// Facts about a content as the server read them, put into words. Pure. What is not known here is shown as it came.

import { clock, count, dotted } from './format.js';

/** @typedef {Record<string, string | number>} Facts */

/** @param {string | number} value */
const text = (value) => (typeof value === 'string' ? value : Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6))));
/** Numbers are put into words, words stay as they came. @param {(value: number) => string} say */
const number = (say) => (value) => (typeof value === 'number' ? say(value) : value);

/** @type {Record<string, [label: string, say?: (value: any) => string]>} in the order they are shown */
const WORDS = {
  title: ['Title'], artist: ['Artist'], album: ['Album'], track: ['Track'], year: ['Year'], genre: ['Genre'], author: ['Author'],
  pages: ['Pages', text], producer: ['Producer'], family: ['Family'], style: ['Style'], glyphs: ['Glyphs', text], vertices: ['Corners', text],
  triangles: ['Triangles', text],
  duration: ['Duration', number((s) => (s < 10 ? `${Math.round(s * 100) / 100} s` : clock(s)))],
  frames: ['Frames', text], codec: ['Codec'], channels: ['Channels', (n) => ({ 1: '1 (mono)', 2: '2 (stereo)' }[n] ?? text(n))],
  sample_rate: ['Sample rate', number((hz) => `${text(hz / 1000)} kHz`)],
  bitrate: ['Bit rate', number((bits) => `${text(Math.round(bits / 1000))} kbit/s`)],
  bit_depth: ['Depth', number((bits) => `${bits} bit`)], colour: ['Colour'], orientation: ['Orientation'], camera: ['Camera'], lens: ['Lens'],
  exposure: ['Exposure', number((s) => (s > 0 && s < 1 ? `1/${Math.round(1 / s)} s` : `${text(s)} s`))],
  aperture: ['Aperture', number((f) => `f/${text(f)}`)], iso: ['ISO'], focal_length: ['Focal length', number((mm) => `${text(mm)} mm`)],
  taken: ['Taken'], latitude: ['Latitude'], longitude: ['Longitude'], software: ['Software'], comment: ['Comment'],
};

/** @param {Facts} facts */
function dimensions({ width, height }) {
  return width && height ? `${text(width)} × ${text(height)}` : '';
}

/** @param {Facts} facts @param {string} key */
function say(facts, key) {
  return facts[key] === undefined ? '' : (WORDS[key][1] ?? String)(facts[key]);
}

/** Label and words of each fact. @param {Facts} facts @returns {[string, string][]} */
export function factRows(facts) {
  const size = dimensions(facts);
  const others = Object.keys(facts).filter((key) => !WORDS[key] && !(size && (key === 'width' || key === 'height')));
  return [
    ['Dimensions', size],
    ...Object.entries(WORDS).map(([key, [label]]) => [label, say(facts, key)]),
  ].filter(([, words]) => words !== '').concat(others.map((key) => [key.charAt(0).toUpperCase() + key.slice(1).replaceAll('_', ' '), text(facts[key])]));
}

/** The few that stand in one line under what is shown. @param {Facts} facts */
export function factLine(facts) {
  const { iso, pages, triangles } = facts;
  return dotted(dimensions(facts), ...['camera', 'exposure', 'aperture'].map((key) => say(facts, key)), iso !== undefined && `ISO ${iso}`,
    ...['duration', 'codec', 'sample_rate'].map((key) => say(facts, key)), pages !== undefined && `${text(pages)} ${pages === 1 ? 'page' : 'pages'}`,
    triangles !== undefined && `${text(triangles)} triangles`);
}
