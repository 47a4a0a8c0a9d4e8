// The viewer over the listing: one asset at a time, arrows in the listing's order, images to zoom, audio and video to play,
// text to read, and facts for what cannot be shown.

import { addressOf, api } from '../api.js';
import { keyOf } from '../actions.js';
import { bytes, count, plural, typeWord, visibleName } from '../lib/format.js';
import { h, icon, isTyping, nameNode, fullNameNode } from '../lib/html.js';
import { iconOf, kindOf } from './cells.js';
import { ImageStage } from './image_stage.js';
import { textPreview } from './text_preview.js';

const BUSY_MS = 400;

/** Fires `step` {by}, `end` {last}, `close`. The view answers with `show`. */
export class Viewer extends EventTarget {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    super();
    this.dialog = dialog;
    this.id = 0;
    /** @type {AbortController | null} */
    this.asking = null;
    /** @type {ImageStage | null} */
    this.image = null;
    this.title = h('h2', { 'data-testid': 'viewer-name' });
    this.position = h('span', { class: 'position', 'data-testid': 'viewer-position' });
    this.download = h('a', { class: 'button', download: '', 'aria-label': 'Download', title: 'Download', 'data-testid': 'viewer-download' }, icon('download'));
    this.content = h('div', { class: 'viewer-content', 'data-testid': 'viewer-content' });
    this.foot = h('div', { class: 'viewer-foot' });
    this.back = h('button', { type: 'button', class: 'viewer-step back', 'aria-label': 'Previous', title: 'Previous (←)', 'data-testid': 'viewer-previous', onclick: () => this.step(-1) }, icon('chevron-left'));
    this.on = h('button', { type: 'button', class: 'viewer-step on', 'aria-label': 'Next', title: 'Next (→)', 'data-testid': 'viewer-next', onclick: () => this.step(1) }, icon('chevron'));
    this.full = h('button', { type: 'button', class: 'plain', 'aria-label': 'Full screen', title: 'Full screen (F)', onclick: () => this.fullScreen() }, icon('fullscreen'));
    dialog.append(
      h('header', { class: 'viewer-bar' },
        h('button', { type: 'button', class: 'plain', 'aria-label': 'Close', title: 'Close (Esc)', 'data-testid': 'viewer-close', onclick: () => this.close() }, icon('close')),
        this.title, this.position, this.full, this.download),
      h('div', { class: 'viewer-stage' }, this.content, this.back, this.on), this.foot);
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      this.close();
    });
    // Chromium closes a dialog on the second Escape whatever the page says to the first.
    dialog.addEventListener('close', () => {
      if (this.id !== 0) this.close();
    });
    dialog.addEventListener('keydown', (event) => this.onKey(event));
    this.swipes();
  }

  get open() {
    return this.dialog.open;
  }

  /** @param {number} by */
  step(by) {
    this.dispatchEvent(new CustomEvent('step', { detail: { by } }));
  }

  close() {
    this.dispatchEvent(new CustomEvent('close'));
  }

  /** Taken down by the view, once the address says so. */
  hide() {
    this.asking?.abort();
    this.id = 0;
    this.clear();
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    if (this.dialog.open) this.dialog.close();
  }

  clear() {
    this.image?.end();
    this.image = null;
    for (const player of this.content.querySelectorAll('audio, video')) {
      player.pause();
      player.removeAttribute('src');
      player.load();
    }
    this.content.replaceChildren();
    this.content.className = 'viewer-content';
  }

  /**
   * @param {{id: number, asset: import('../api.js').Asset | null, index: number, total: number}} what index is -1 where the
   *   asset's place in the listing is not known
   */
  show({ id, asset, index, total }) {
    this.position.textContent = index >= 0 ? `${count(index + 1)} of ${count(total)}` : '';
    this.back.hidden = index <= 0;
    this.on.hidden = index < 0 || index >= total - 1;
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.dialog.focus();
    }
    if (id === this.id) return;
    this.id = id;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    if (asset) this.draw(asset, null);
    else this.clear();
    if (!asset || asset.type === 'text') this.ask(id, asking.signal);
  }

  /** @param {number} id @param {AbortSignal} signal */
  async ask(id, signal) {
    const busy = setTimeout(() => this.content.replaceChildren(h('span', { class: 'spinner', role: 'status', 'aria-label': 'Loading' })), BUSY_MS);
    try {
      const details = await api.details(id, signal);
      if (!signal.aborted) this.draw(details, details);
    } catch (error) {
      if (!signal.aborted) this.content.replaceChildren(h('div', { class: 'facts-card' }, icon('error'), h('p', { class: 'problem' }, error.message)));
    } finally {
      clearTimeout(busy);
    }
  }

  /** @param {import('../api.js').Asset} asset @param {import('../api.js').AssetDetails | null} details */
  draw(asset, details) {
    this.clear();
    this.title.replaceChildren(nameNode(asset.filename));
    this.title.title = visibleName(asset.filename);
    this.dialog.setAttribute('aria-label', visibleName(asset.filename));
    this.download.href = addressOf.download(asset.id);
    this.content.dataset.kind = kindOf(asset);
    this.content.dataset.type = asset.type;
    this.foot.replaceChildren(h('span', {}, `${typeWord(asset.type)} · ${bytes(asset.size_original)}`));
    const address = addressOf.bytes(asset.id);
    if (asset.size_original === 0 && asset.type !== 'text') {
      this.facts(asset, 'This file is empty.');
    } else if (asset.type === 'image') {
      this.image = new ImageStage({ box: this.content, foot: this.foot, address, name: visibleName(asset.filename), failed: () => this.facts(asset, 'This picture cannot be shown by this browser.') });
    } else if (asset.type === 'video') {
      const video = h('video', { src: address, controls: true, playsinline: true, preload: 'metadata', 'data-testid': 'viewer-video' });
      video.addEventListener('error', () => this.facts(asset, 'This video cannot be played by this browser.'));
      this.content.append(video);
    } else if (asset.type === 'audio') {
      const audio = h('audio', { src: address, controls: true, preload: 'metadata', 'data-testid': 'viewer-audio' });
      audio.addEventListener('error', () => this.facts(asset, 'This sound cannot be played by this browser.'));
      const glyph = icon('audio');
      glyph.classList.add('big');
      this.content.append(h('div', { class: 'player' }, glyph, fullNameNode(asset.filename), audio));
    } else if (asset.type === 'text') {
      if (details?.content === undefined) {
        if (details) this.facts(asset, 'This file could not be read as text.');
        return;
      }
      this.content.append(textPreview(details));
      if (details.encoding) this.foot.append(` · ${details.encoding}`);
    } else {
      this.facts(asset, 'There is no preview for this kind of file.');
    }
  }

  /** @param {import('../api.js').Asset} asset @param {string} why */
  facts(asset, why) {
    this.clear();
    const glyph = icon(iconOf(asset));
    glyph.classList.add('big');
    this.content.append(h('div', { class: 'facts-card', 'data-testid': 'viewer-facts' }, glyph, h('h3', {}, fullNameNode(asset.filename)),
      h('p', { class: 'meta' }, why),
      h('p', { class: 'meta' }, `${asset.media_type} · ${plural(asset.size_original, 'byte')}`),
      h('a', { class: 'button solid', href: addressOf.download(asset.id), download: '', 'data-testid': 'viewer-facts-download' }, icon('download'), `Download ${bytes(asset.size_original)}`)));
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.dialog.requestFullscreen?.().catch(() => {});
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const player = /** @type {HTMLMediaElement | null} */ (this.content.querySelector('audio, video'));
    const inPlayer = event.target === player;
    const inText = /** @type {HTMLElement} */ (event.target).closest?.('.code');
    if (isTyping(event.target)) return;
    const key = keyOf(event);
    // Arrows inside a player seek, as people expect of it; on the stage they turn pages.
    if (inPlayer && /^Arrow|^Space$/.test(key)) return;
    if (inText && (key === 'Home' || key === 'End')) return;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Home: () => this.dispatchEvent(new CustomEvent('end', { detail: { last: false } })),
      End: () => this.dispatchEvent(new CustomEvent('end', { detail: { last: true } })),
      F: () => this.fullScreen(),
      '+': () => this.image?.zoomBy(1.25),
      '-': () => this.image?.zoomBy(0.8),
      0: () => this.image?.fit(),
      1: () => this.image?.actual(),
      Z: () => this.image?.toggle(),
    };
    if (key === 'Space' && /** @type {HTMLElement} */ (event.target).tagName !== 'BUTTON') {
      event.preventDefault();
      if (!player) this.close();
      else if (player.paused) player.play().catch(() => {});
      else player.pause();
      return;
    }
    const act = acts[key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  swipes() {
    let x = 0;
    let y = 0;
    let fingers = 0;
    this.content.addEventListener('touchstart', (/** @type {TouchEvent} */ event) => {
      fingers = event.touches.length;
      x = event.touches[0].clientX;
      y = event.touches[0].clientY;
    }, { passive: true });
    this.content.addEventListener('touchend', (/** @type {TouchEvent} */ event) => {
      if (fingers !== 1 || this.image?.zoomed || /** @type {HTMLElement} */ (event.target).closest('.code, audio, video')) return;
      const dx = event.changedTouches[0].clientX - x;
      const dy = event.changedTouches[0].clientY - y;
      if (Math.abs(dx) > 60 && Math.abs(dx) > 2 * Math.abs(dy)) this.step(dx < 0 ? 1 : -1);
      else if (dy > 90 && dy > 2 * Math.abs(dx)) this.close();
    }, { passive: true });
  }
}
