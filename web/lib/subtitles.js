// Subtitles beside a video: which files they are, and SubRip turned into what browsers read. Pure.

import { splitName } from './format.js';
import { hexOf } from './hex.js';

/** `film.srt` and `film.en.vtt` belong to `film.mkv`. @param {string} video @param {string} other @returns {{label: string} | null} */
export function subtitlesFor(video, other) {
  const { stem } = splitName(video);
  const { stem: rest, extension } = splitName(other);
  if (!/^\.(vtt|srt)$/i.test(extension) || !rest.toLowerCase().startsWith(stem.toLowerCase())) return null;
  const tail = rest.slice(stem.length);
  if (tail === '') return { label: 'Subtitles' };
  return /^[._\x20-]\S{1,20}$/.test(tail) ? { label: tail.slice(1) } : null;
}

/** UTF-8 where it is, else what old subtitles are written in. @param {Uint8Array} bytes */
export function decodeSubtitles(bytes) {
  const mark = { fffe: 'utf-16le', feff: 'utf-16be' }[hexOf(bytes.subarray(0, 2))];
  try {
    return new TextDecoder(mark ?? 'utf-8', { fatal: !mark }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

const TIME = /(\d{1,3}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})/;
const TIMES = new RegExp(`^\\s*${TIME.source}\\s*-->\\s*${TIME.source}`);

/**
 * WebVTT from either. Of SubRip's markup only b, i and u are known to WebVTT; other tags are left out, and a stray arrow
 * or ampersand cannot end a cue.
 * @param {string} text
 */
export function toVtt(text) {
  const clean = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  if (/^WEBVTT(?:[ \t\n]|$)/.test(clean)) return clean;
  const cues = [];
  for (const block of clean.split(/\n[ \t]*\n/)) {
    const lines = block.split('\n');
    const at = lines.findIndex((line) => TIMES.test(line));
    const words = lines.slice(at + 1).map(cueText).filter((line) => line.trim() !== '');
    if (at < 0 || words.length === 0) continue;
    const [, ...t] = TIMES.exec(lines[at]);
    cues.push(`${time(t.slice(0, 4))} --> ${time(t.slice(4))}\n${words.join('\n')}`);
  }
  return `WEBVTT\n\n${cues.join('\n\n')}\n`;
}

/** @param {string[]} parts hours, minutes, seconds, thousandths */
function time([h, m, s, ms]) {
  return `${h.padStart(2, '0')}:${m.padStart(2, '0')}:${s.padStart(2, '0')}.${ms.padEnd(3, '0')}`;
}

/** @param {string} line */
function cueText(line) {
  return line
    .replace(/<(?!\/?[biu]>)\/?[a-z][^<>]*>/gi, '')
    .replace(/\{\\[^}]*\}/g, '')
    .replace(/&/g, '&amp;')
    .replace(/-->/g, '→')
    .replace(/<(?!\/?[biu]>)/gi, '&lt;')
    .replace(/<\/?[biu]>/gi, (tag) => tag.toLowerCase());
}
