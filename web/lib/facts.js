// Facts about a content as the server read them, put into words. Pure. What is not known here is shown as it came.

import { clock, count } from './format.js';

/** @typedef {Record<string, string | number>} Facts */

/** @param {string | number} value */
const text = (value) => (typeof value === 'number' ? (Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6)))) : value);
/** @param {string} unit */
const unit = (unit) => (value) => (typeof value === 'number' ? `${text(value)} ${unit}` : value);
/** @param {string | number} value */
const plain = (value) => String(value);

/** @type {Record<string, [label: string, say: (value: any) => string]>} in the order they are shown */
const WORDS = {
  title: ['Title', plain], artist: ['Artist', plain], album: ['Album', plain], track: ['Track', plain], year: ['Year', plain],
  genre: ['Genre', plain], author: ['Author', plain], pages: ['Pages', text], producer: ['Producer', plain],
  family: ['Family', plain], style: ['Style', plain], glyphs: ['Glyphs', text], vertices: ['Corners', text], triangles: ['Triangles', text],
  duration: ['Duration', (value) => (typeof value === 'number' ? (value < 10 ? `${Math.round(value * 100) / 100} s` : clock(value)) : value)],
  frames: ['Frames', text], codec: ['Codec', plain], channels: ['Channels', (value) => ({ 1: '1 (mono)', 2: '2 (stereo)' }[value] ?? text(value))],
  sample_rate: ['Sample rate', (value) => (typeof value === 'number' ? `${text(value / 1000)} kHz` : value)],
  bitrate: ['Bit rate', (value) => (typeof value === 'number' ? `${text(Math.round(value / 1000))} kbit/s` : value)],
  bit_depth: ['Depth', (value) => (typeof value === 'number' ? `${value} bit` : value)], colour: ['Colour', plain], orientation: ['Orientation', plain],
  camera: ['Camera', plain], lens: ['Lens', plain],
  exposure: ['Exposure', (value) => (typeof value !== 'number' ? value : value > 0 && value < 1 ? `1/${Math.round(1 / value)} s` : `${text(value)} s`)],
  aperture: ['Aperture', (value) => (typeof value === 'number' ? `f/${text(value)}` : value)], iso: ['ISO', plain], focal_length: ['Focal length', unit('mm')],
  taken: ['Taken', plain], latitude: ['Latitude', plain], longitude: ['Longitude', plain],
  software: ['Software', plain], comment: ['Comment', plain],
};

/** @param {Facts} facts */
function dimensions({ width, height }) {
  return width && height ? `${text(width)} × ${text(height)}` : '';
}

/** Label and words of each fact. @param {Facts} facts @returns {[string, string][]} */
export function factRows(facts) {
  /** @type {[string, string][]} */
  const rows = [];
  const size = dimensions(facts);
  if (size) rows.push(['Dimensions', size]);
  for (const [key, [label, say]] of Object.entries(WORDS)) {
    if (facts[key] !== undefined && facts[key] !== '') rows.push([label, say(facts[key])]);
  }
  for (const [key, value] of Object.entries(facts)) {
    if (WORDS[key] || ((key === 'width' || key === 'height') && size)) continue;
    rows.push([key.charAt(0).toUpperCase() + key.slice(1).replaceAll('_', ' '), text(value)]);
  }
  return rows;
}

/** The few that stand in one line under what is shown. @param {Facts} facts */
export function factLine(facts) {
  const say = (key) => (facts[key] === undefined ? '' : WORDS[key][1](facts[key]));
  const pages = facts.pages === undefined ? '' : `${text(facts.pages)} ${facts.pages === 1 ? 'page' : 'pages'}`;
  const triangles = facts.triangles === undefined ? '' : `${text(facts.triangles)} triangles`;
  return [dimensions(facts), say('camera'), say('exposure'), say('aperture'), facts.iso === undefined ? '' : `ISO ${facts.iso}`,
    say('duration'), say('codec'), say('sample_rate'), pages, triangles].filter(Boolean).join(' · ');
}
