// Sound and moving pictures in the browser's own players, a sound under its waveform, a video with the subtitles that lie
// beside it.

import { addressOf, api } from '../api.js';
import { factLine } from '../lib/facts.js';
import { h, icon, fullNameNode } from '../lib/html.js';
import { decodeSubtitles, subtitlesFor, toVtt } from '../lib/subtitles.js';

const SUBTITLES_BYTES_MAX = 4_000_000;
const SUBTITLES_MAX = 8;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { box, asset, fail, signal } = stage;
  const isVideo = asset.media_type.startsWith('video/') || (asset.type === 'video' && !asset.media_type.startsWith('audio/'));
  const player = /** @type {HTMLMediaElement} */ (h(isVideo ? 'video' : 'audio', {
    src: addressOf.bytes(asset.id), controls: true, playsinline: true, preload: 'metadata', 'data-testid': isVideo ? 'viewer-video' : 'viewer-audio',
  }));
  player.addEventListener('error', () => {
    const heard = player.currentTime > 0;
    const word = isVideo ? 'video' : 'sound';
    fail(heard ? `This ${word} breaks off at ${Math.round(player.currentTime)} s: it is cut short or damaged inside.`
      : `This ${word} could not be played: this browser does not know its kind, or the file is cut short or damaged inside.`);
  }, { signal });
  /** @type {string[]} */
  const made = [];
  if (isVideo) {
    box.append(player);
    addSubtitles(stage, player, made);
  } else {
    box.append(soundCard(stage, player));
  }
  sayFacts(stage);
  await new Promise((resolve) => {
    for (const type of ['loadedmetadata', 'error']) player.addEventListener(type, resolve, { once: true });
    signal.addEventListener('abort', resolve, { once: true });
  });
  stage.sayIfCut(`This ${isVideo ? 'video' : 'sound'} ends early: it was cut short, and plays as far as it goes.`);
  return {
    end() {
      player.pause();
      player.removeAttribute('src');
      player.load();
      for (const address of made) URL.revokeObjectURL(address);
    },
    /** @param {string} key */
    key(key) {
      if (key !== 'Space') return false;
      if (player.paused) player.play().catch(() => {});
      else player.pause();
      return true;
    },
  };
}

/** @param {import('../components/viewer.js').Stage} stage */
async function sayFacts({ facts, note, signal }) {
  const line = factLine(await facts().catch(() => ({})));
  if (!signal.aborted && line) note(line);
}

/** @param {import('../components/viewer.js').Stage} stage @param {HTMLMediaElement} player */
function soundCard({ asset, facts, signal }, player) {
  const glyph = icon('audio');
  glyph.classList.add('big');
  const heard = h('div', { class: 'heard' });
  const wave = h('div', { class: 'wave', 'aria-hidden': 'true' }, glyph);
  const who = h('p', { class: 'meta' });
  facts().then(({ title, artist, album }) => {
    if (!signal.aborted) who.textContent = [title, artist, album].filter(Boolean).join(' · ');
  }, () => {});
  if (asset.thumbnail) {
    const picture = /** @type {HTMLImageElement} */ (h('img', { alt: '', draggable: 'false', src: addressOf.thumbnail(asset.id, 1024) }));
    picture.addEventListener('load', () => wave.replaceChildren(picture, heard), { signal });
    player.addEventListener('timeupdate', () => {
      heard.style.width = player.duration > 0 ? `${(player.currentTime / player.duration) * 100}%` : '0';
    }, { signal });
    // A second way to what the player's slider does, for pointers.
    wave.addEventListener('click', (event) => {
      const rect = picture.getBoundingClientRect();
      if (player.duration > 0 && rect.width > 0) player.currentTime = Math.max(0, Math.min(1, (event.clientX - rect.left) / rect.width)) * player.duration;
    }, { signal });
  }
  return h('div', { class: 'player' }, wave, h('div', { class: 'who' }, fullNameNode(asset.filename), who), player);
}

/** Subtitles of the same name in the same place. @param {import('../components/viewer.js').Stage} stage @param {HTMLMediaElement} player @param {string[]} made */
async function addSubtitles({ asset, details, signal }, player, made) {
  try {
    const { collection_id: place } = await details();
    const stem = asset.filename.replace(/\.[^.]*$/, '').split('"').filter((part) => part.trim()).map((part) => `"${part}"`).join(' ');
    const { assets } = await api.assets({ kind: 'collection', id: place }, { offset: 0, limit: 50, q: stem, types: ['text'] }, signal);
    let first = true;
    for (const other of assets) {
      const belongs = subtitlesFor(asset.filename, other.filename);
      if (!belongs || other.collection_id !== place || other.size_original === 0 || other.size_original > SUBTITLES_BYTES_MAX || made.length >= SUBTITLES_MAX) continue;
      const bytes = await api.range(other.id, 0, other.size_original - 1, signal);
      if (signal.aborted) return;
      const address = URL.createObjectURL(new Blob([toVtt(decodeSubtitles(new Uint8Array(bytes)))], { type: 'text/vtt' }));
      made.push(address);
      const language = /^[a-z]{2,3}(?:-[a-z]+)?$/i.test(belongs.label) ? belongs.label : null;
      const track = h('track', { kind: 'subtitles', src: address, srclang: language ?? 'und', default: first, testid: 'viewer-track' });
      track.label = belongs.label;
      player.append(track);
      first = false;
    }
  } catch {
    // A video without its subtitles is still a video.
  }
}
