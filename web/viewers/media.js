// Sound and moving pictures in the browser's own players, a sound under its waveform, a video with the subtitles that lie
// beside it.

import { addressOf, api } from '../api.js';
import { dotted, fullNameNode, h, icon, set } from '../lib/html.js';
import { decodeSubtitles, subtitlesFor, toVtt } from '../lib/subtitles.js';
import { clamp } from '../lib/virtual_window.js';
import { keysOf, settled } from './shared.js';

const SUBTITLES_BYTES_MAX = 4_000_000;
const SUBTITLES_MAX = 8;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { box, asset, fail, notKnown, noteFacts, signal, sayIfCut } = stage;
  const isVideo = asset.media_type.startsWith('video/') || (asset.type === 'video' && !asset.media_type.startsWith('audio/'));
  const [tag, word] = isVideo ? ['video', 'video'] : ['audio', 'sound'];
  const player = h(`${tag}#viewer-${tag}`, { src: addressOf.bytes(asset.id), controls: true, tabindex: 0, playsinline: true, preload: 'metadata', signal, onerror: broken });
  function broken() {
    if (player.currentTime > 0) fail(`This ${word} breaks off at ${Math.round(player.currentTime)} s: it is cut short or damaged inside.`);
    else notKnown(`This ${word} could not be played`);
  }
  box.append(isVideo ? player : soundCard(stage, player));
  if (isVideo) addSubtitles(stage, player).catch(() => {}); // A video without its subtitles is still a video.
  noteFacts();
  await settled(player, 'loadedmetadata', signal);
  sayIfCut(`This ${word}`, 'plays');
  return {
    end() {
      player.pause();
      player.removeAttribute('src');
      player.load();
      for (const { src } of player.querySelectorAll('track')) URL.revokeObjectURL(src);
    },
    key: keysOf({ Space: () => (player.paused ? player.play().catch(() => {}) : player.pause()) }),
  };
}

/** @param {import('../components/viewer.js').Stage} stage @param {HTMLMediaElement} player */
function soundCard({ asset, facts, signal }, player) {
  const heard = h('div.heard');
  const wave = h('div.wave', { 'aria-hidden': true }, icon('audio', 'big'));
  const who = h('p.meta');
  facts().then(({ title, artist, album }) => {
    who.textContent = dotted(title, artist, album);
  });
  if (asset.thumbnail) {
    const picture = h('img', { alt: '', draggable: 'false', src: addressOf.thumbnail(asset.id, 1024), onload: () => wave.replaceChildren(picture, heard) });
    set(player, {
      signal,
      ontimeupdate() {
        heard.style.width = player.duration > 0 ? `${(player.currentTime / player.duration) * 100}%` : '0';
      },
    });
    // A second way to what the player's slider does, for pointers.
    set(wave, {
      onclick({ clientX }) {
        const { left, width } = picture.getBoundingClientRect();
        if (player.duration > 0 && width > 0) player.currentTime = clamp((clientX - left) / width, 0, 1) * player.duration;
      },
    });
  }
  return h('div.player', wave, h('div.who', fullNameNode(asset.filename), who), player);
}

/** Subtitles of the same name in the same place. @param {import('../components/viewer.js').Stage} stage @param {HTMLMediaElement} player */
async function addSubtitles({ asset, details, signal }, player) {
  const { collection_id: place } = await details();
  const stem = asset.filename.replace(/\.[^.]*$/, '').split('"').filter((part) => part.trim()).map((part) => `"${part}"`).join(' ');
  const { assets } = await api.assets({ kind: 'collection', id: place }, { limit: 50, q: stem, types: ['text'] }, signal);
  for (const { id, filename, collection_id: where, size_original: size } of assets) {
    const belongs = subtitlesFor(asset.filename, filename);
    const n = player.childElementCount;
    if (!belongs || where !== place || size === 0 || size > SUBTITLES_BYTES_MAX || n >= SUBTITLES_MAX) continue;
    const text = toVtt(decodeSubtitles(new Uint8Array(await api.range(id, 0, size - 1, signal))));
    if (signal.aborted) return;
    const language = /^[a-z]{2,3}(?:-[a-z]+)?$/i.test(belongs.label) ? belongs.label : 'und';
    const track = h('track', { kind: 'subtitles', src: URL.createObjectURL(new Blob([text], { type: 'text/vtt' })), srclang: language, default: n === 0 });
    track.label = belongs.label;
    player.append(track);
  }
}
