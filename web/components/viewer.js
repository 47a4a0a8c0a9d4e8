// The viewer over the listing: one asset at a time, arrows in the listing's order. It owns the frame, the ways an asset can be
// looked at, the facts beside it and what is said when something fails; how a kind is shown is a module of viewers/.

import { addressOf, api } from '../api.js';
import { keyOf } from '../actions.js';
import { bytes, count, dayAndTime, plural, typeWord, visibleName } from '../lib/format.js';
import { endsEarly } from '../lib/endings.js';
import { factRows } from '../lib/facts.js';
import { h, icon, isTyping, nameNode, fullNameNode, show } from '../lib/html.js';
import { MODE_WORDS, modesOf } from '../lib/modes.js';
import { sleep } from '../lib/queue.js';
import { iconOf, kindOf } from './cells.js';
import { facts as factList } from './details.js';

const BUSY_MS = 400;
const BUSY_TRIES = 4;

/** What a module of viewers/ is handed, and what it may give back. `fail` ends it: the bytes are shown with the reason.
 * @typedef {{box: HTMLElement, tools: HTMLElement, asset: import('../api.js').Asset, signal: AbortSignal,
 *   note: (text: string) => void, notice: (text: string) => void, fail: (why: string, error?: any) => void,
 *   sayIfCut: (text: string) => void, details: () => Promise<import('../api.js').AssetDetails>, facts: () => Promise<import('../lib/facts.js').Facts>}} Stage
 * @typedef {{end?: () => void, key?: (key: string) => boolean | void, gestures?: () => boolean}} Shown key says whether it was
 *   used; gestures, whether a finger's movements are its own
 * @typedef {{open: (stage: Stage) => Shown | void | Promise<Shown | void>}} Module
 */

/** @type {Record<Exclude<import('../lib/modes.js').Mode, 'empty'>, () => Promise<Module>>} */
const MODULES = {
  picture: () => import('../viewers/picture.js'),
  video: () => import('../viewers/media.js'),
  audio: () => import('../viewers/media.js'),
  pages: () => import('../viewers/pages.js'),
  rendered: () => import('../viewers/document.js'),
  beside: () => import('../viewers/document.js').then(({ openBeside }) => ({ open: openBeside })),
  table: () => import('../viewers/table.js'),
  members: () => import('../viewers/members.js'),
  model: () => import('../viewers/model.js'),
  specimen: () => import('../viewers/specimen.js'),
  text: () => import('../viewers/text.js'),
  bytes: () => import('../viewers/bytes.js'),
};

/** Its own sheet, which nothing before the first look needs. */
const styled = new Promise((resolve) => {
  const sheet = h('link', { rel: 'stylesheet', href: new URL('../styles/viewer.css', import.meta.url).href, onload: resolve, onerror: resolve });
  document.head.append(sheet);
});

/** Fires `step` {by}, `end` {last}, `mode` {mode} ('' for the usual one), `close`. The view answers with `show`. */
export class Viewer extends EventTarget {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    super();
    this.dialog = dialog;
    this.id = 0;
    /** @type {import('../api.js').Asset | null} */
    this.asset = null;
    /** Everything asked for the asset shown. */
    this.asking = new AbortController();
    /** Everything asked for the way it is shown. */
    this.looking = new AbortController();
    /** @type {Shown | null} */
    this.shown = null;
    /** @type {import('../lib/modes.js').Mode} */
    this.mode = 'empty';
    /** The mode that the address asks for. */
    this.asked = '';
    /** Chosen in place of the usual mode, by that. @type {Map<string, import('../lib/modes.js').Mode>} */
    this.chosen = new Map();
    const button = (/** @type {string} */ label, /** @type {string} */ key, /** @type {string} */ glyph, /** @type {() => void} */ act, /** @type {Record<string, any>} */ more = {}) => h('button', { type: 'button', class: 'plain', 'aria-label': label, title: `${label} (${key})`, onclick: act, ...more }, icon(glyph));
    this.title = h('h2', { 'data-testid': 'viewer-name' });
    this.position = h('span', { class: 'position', 'data-testid': 'viewer-position' });
    this.modes = h('div', { class: 'segment', role: 'group', 'aria-label': 'Shown as', 'data-testid': 'viewer-modes' });
    this.infoButton = button('Facts', 'I', 'info', () => this.toggleInfo(), { 'aria-pressed': 'false', 'data-testid': 'viewer-info-button' });
    this.full = button('Full screen', 'F', 'fullscreen', () => this.fullScreen(), { class: 'plain full' });
    this.raw = h('a', { class: 'button plain raw', target: '_blank', rel: 'noopener', 'aria-label': 'Open the bytes in a tab', title: 'Open the bytes in a tab', 'data-testid': 'viewer-raw' }, icon('open'));
    this.download = h('a', { class: 'button plain', download: '', 'aria-label': 'Download', title: 'Download', 'data-testid': 'viewer-download' }, icon('download'));
    this.notices = h('div', { class: 'viewer-notices', role: 'status', 'data-testid': 'viewer-notice' });
    this.content = h('div', { class: 'viewer-content', 'data-testid': 'viewer-content' });
    this.info = h('aside', { class: 'viewer-info', 'aria-label': 'Facts', tabindex: '0', hidden: true, 'data-testid': 'viewer-info' });
    this.tools = h('div', { class: 'viewer-tools' });
    this.noted = h('span', { class: 'viewer-note', 'data-testid': 'viewer-note' });
    this.back = h('button', { type: 'button', class: 'viewer-step back', 'aria-label': 'Previous', title: 'Previous (←)', 'data-testid': 'viewer-previous', onclick: () => this.step(-1) }, icon('chevron-left'));
    this.on = h('button', { type: 'button', class: 'viewer-step on', 'aria-label': 'Next', title: 'Next (→)', 'data-testid': 'viewer-next', onclick: () => this.step(1) }, icon('chevron'));
    dialog.append(
      h('header', { class: 'viewer-bar' }, button('Close', 'Esc', 'close', () => this.close(), { 'data-testid': 'viewer-close' }),
        this.title, this.position, this.modes, this.infoButton, this.full, this.raw, this.download),
      this.notices,
      h('div', { class: 'viewer-stage' }, this.content, this.info, this.back, this.on), h('footer', { class: 'viewer-foot' }, this.tools, this.noted));
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
    this.asking.abort();
    this.id = 0;
    this.clear();
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    if (this.dialog.open) this.dialog.close();
  }

  clear() {
    this.looking.abort();
    this.shown?.end?.();
    this.shown = null;
    // Keys go on working when what had the focus is taken away.
    if (this.content.contains(document.activeElement) || this.tools.contains(document.activeElement)) this.dialog.focus();
    this.content.replaceChildren();
    this.content.className = 'viewer-content';
    this.tools.replaceChildren();
    this.notices.replaceChildren();
    this.dialog.removeAttribute('data-state');
  }

  /**
   * @param {{id: number, asset: import('../api.js').Asset | null, mode: string, index: number, total: number}} what mode is what
   *   the address asks for, '' for the usual one; index is -1 where the asset's place in the listing is not known
   */
  show({ id, asset, mode, index, total }) {
    this.position.textContent = index >= 0 ? `${count(index + 1)} of ${count(total)}` : '';
    this.back.hidden = index <= 0;
    this.on.hidden = index < 0 || index >= total - 1;
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.dialog.focus();
    }
    const asked = mode !== this.asked;
    this.asked = mode;
    if (id === this.id) {
      if (asked && this.asset && this.asset.id === id && this.modeAsked() !== this.mode) this.look(this.modeAsked());
      return;
    }
    this.id = id;
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    /** @type {Promise<import('../api.js').AssetDetails> | null} */
    let details = null;
    this.details = () => details ??= api.details(id, signal);
    /** @type {Promise<any> | null} */
    let facts = null;
    this.facts = () => facts ??= api.facts(id, signal);
    this.clear();
    if (asset) this.draw(asset);
    else this.ask(signal);
  }

  /** @param {AbortSignal} signal */
  async ask(signal) {
    const busy = this.busySoon(signal);
    try {
      const details = await this.details();
      if (!signal.aborted) this.draw(details);
    } catch (error) {
      if (!signal.aborted) this.content.replaceChildren(h('div', { class: 'facts-card' }, icon('error'), h('p', { class: 'problem' }, error.message)));
    } finally {
      clearTimeout(busy);
    }
  }

  /** A turning ring, if it takes long enough to be wondered at. @param {AbortSignal} signal */
  busySoon(signal) {
    return setTimeout(() => {
      if (!signal.aborted && this.content.childElementCount === 0) this.content.append(h('span', { class: 'spinner', role: 'status', 'aria-label': 'Loading' }));
    }, BUSY_MS);
  }

  /** @param {import('../api.js').Asset} asset */
  draw(asset) {
    this.asset = asset;
    this.title.replaceChildren(nameNode(asset.filename));
    this.title.title = visibleName(asset.filename);
    this.dialog.setAttribute('aria-label', visibleName(asset.filename));
    this.download.href = addressOf.download(asset.id);
    this.raw.href = addressOf.bytes(asset.id);
    this.content.dataset.kind = kindOf(asset);
    this.content.dataset.type = asset.type;
    const modes = modesOf(asset);
    this.modes.replaceChildren(...(modes.length > 1 ? modes : []).map((mode) => h('button', {
      type: 'button', class: 'plain', 'data-mode': mode, 'data-testid': `mode-${mode}`, title: mode === 'bytes' ? 'Bytes (B)' : MODE_WORDS[mode],
      onclick: () => this.choose(mode),
    }, MODE_WORDS[mode])));
    this.look(this.modeAsked());
    this.drawInfo();
    this.tellMode();
  }

  /** What is usual on this screen for what is shown. @returns {import('../lib/modes.js').Mode} */
  usualMode() {
    const modes = modesOf(/** @type {import('../api.js').Asset} */ (this.asset));
    return modes[1] === 'beside' && innerWidth >= 1000 ? 'beside' : modes[0];
  }

  /** What the address asks for, or what was chosen for others of the kind, or what is usual. @returns {import('../lib/modes.js').Mode} */
  modeAsked() {
    const modes = modesOf(/** @type {import('../api.js').Asset} */ (this.asset));
    const asked = modes.find((mode) => mode === this.asked);
    return asked ?? this.chosen.get(modes[0]) ?? this.usualMode();
  }

  /** @param {import('../lib/modes.js').Mode} mode */
  choose(mode) {
    if (mode !== 'bytes') this.chosen.set(modesOf(/** @type {import('../api.js').Asset} */ (this.asset))[0], mode);
    this.look(mode);
    this.tellMode();
  }

  /** The address says what is seen, so that it leads there. */
  tellMode() {
    this.asked = this.mode === this.usualMode() ? '' : this.mode;
    this.dispatchEvent(new CustomEvent('mode', { detail: { mode: this.asked } }));
  }

  /** Shows the asset in one of its ways. @param {import('../lib/modes.js').Mode} mode @param {string} [why] it is not another @param {number} [tries] */
  async look(mode, why = '', tries = 0) {
    const asset = /** @type {import('../api.js').Asset} */ (this.asset);
    this.clear();
    this.mode = mode;
    this.looking = new AbortController();
    const { signal } = this.looking;
    for (const each of this.modes.children) each.setAttribute('aria-pressed', String(each.dataset.mode === mode));
    this.content.dataset.mode = mode;
    const known = [typeWord(asset.type), bytes(asset.size_original)];
    const note = (/** @type {string} */ text) => {
      this.noted.textContent = [...known, text].filter(Boolean).join(' · ');
    };
    note('');
    if (why) this.notice(why);
    this.dialog.dataset.state = 'loading';
    if (mode === 'empty') {
      this.card(asset, 'This file is empty.');
      this.dialog.dataset.state = 'shown';
      return;
    }
    const busy = this.busySoon(signal);
    /** @type {Stage} */
    const stage = {
      box: this.content, tools: this.tools, asset, signal, note,
      notice: (text) => !signal.aborted && this.notice(text),
      fail: (reason, error) => !signal.aborted && this.failed(asset, reason, error, signal),
      sayIfCut: (text) => endsEarly(asset.media_type, asset.size_original, async (first, last) => new Uint8Array(await api.range(asset.id, first, last, signal)))
        .then((early) => early && stage.notice(text), () => {}),
      details: this.details ?? (() => api.details(asset.id)),
      facts: async () => (await this.facts?.())?.facts ?? {},
    };
    try {
      await styled;
      const module = await MODULES[mode]();
      if (signal.aborted) return;
      const shown = await module.open(stage) ?? {};
      if (signal.aborted) {
        shown.end?.();
        return;
      }
      this.shown = shown;
      if (this.dialog.dataset.state === 'loading') this.dialog.dataset.state = 'shown';
    } catch (error) {
      // A server busy with other files has time for this one soon.
      const soon = error.status === 503 && tries < BUSY_TRIES;
      if (soon) await sleep(Math.max(1, error.retryAfter) * 1000, signal).catch(() => {});
      if (signal.aborted) return;
      if (soon) this.look(mode, why, tries + 1);
      else stage.fail(error.message, error);
    } finally {
      clearTimeout(busy);
      this.content.querySelector(':scope > .spinner')?.remove();
    }
  }

  /** @param {string} text */
  notice(text) {
    this.notices.append(h('p', {}, icon('warning'), h('span', {}, text)));
  }

  /** Damage is said as such; where there is none, the bytes stand in for what could not be shown. @param {import('../api.js').Asset} asset @param {string} why @param {any} error @param {AbortSignal} signal */
  async failed(asset, why, error, signal) {
    this.dialog.dataset.state = 'failing';
    let cause = error;
    for (const at of new Set([0, asset.size_original - 1])) {
      if (cause?.code === 'damaged') break;
      cause = await api.range(asset.id, at, at, signal).then(() => null, (found) => found) ?? cause;
      if (signal.aborted) return;
    }
    if (cause?.code === 'damaged') {
      this.clear();
      this.card(asset, cause.message, true);
      this.dialog.dataset.state = 'damaged';
    } else if (this.mode === 'bytes') {
      this.clear();
      this.card(asset, why, true);
      this.dialog.dataset.state = 'failed';
    } else {
      await this.look('bytes', why);
      this.dialog.dataset.state = 'failed';
    }
  }

  /** Instead of a content. @param {import('../api.js').Asset} asset @param {string} why @param {boolean} [problem] */
  card(asset, why, problem = false) {
    const glyph = icon(problem ? 'error' : iconOf(asset));
    glyph.classList.add('big');
    this.content.append(h('div', { class: `facts-card${problem ? ' damaged' : ''}`, 'data-testid': 'viewer-facts' }, glyph, h('h3', {}, fullNameNode(asset.filename)),
      h('p', { class: problem ? 'problem' : 'meta' }, why),
      h('p', { class: 'meta' }, `${asset.media_type} · ${plural(asset.size_original, 'byte')}`),
      problem && this.mode !== 'bytes' && h('button', { type: 'button', onclick: () => this.choose('bytes') }, 'See the bytes that can be read'),
      problem && this.mode === 'bytes' && h('button', { type: 'button', onclick: () => this.look('bytes') }, 'Try again'),
      !problem && h('a', { class: 'button solid', href: addressOf.download(asset.id), download: '', 'data-testid': 'viewer-facts-download' }, icon('download'), `Download ${bytes(asset.size_original)}`)));
  }

  toggleInfo() {
    show(this.info, this.info.hidden);
    this.infoButton.setAttribute('aria-pressed', String(!this.info.hidden));
    this.drawInfo();
  }

  /** What is known of the asset, beside it. */
  async drawInfo() {
    const { asset } = this;
    const { signal } = this.asking;
    if (this.info.hidden || !asset) return;
    const basic = /** @type {[string, any][]} */ ([['Type', asset.media_type], ['Size', `${bytes(asset.size_original)} (${plural(asset.size_original, 'byte')})`],
      ['Modified', dayAndTime(asset.modified_unix_ms ?? NaN)], ['Added', dayAndTime(asset.created_at_unix_ms)]]);
    const draw = (/** @type {[string, any][]} */ rows, /** @type {string} */ message) => this.info.replaceChildren(
      h('h3', {}, fullNameNode(asset.filename)), factList([...basic, ...rows]), message && h('p', { class: 'meta' }, message));
    draw([], '');
    try {
      const { facts, message } = await /** @type {any} */ (this.facts)();
      if (!signal.aborted) draw(factRows(facts), message ?? '');
    } catch (error) {
      if (!signal.aborted) draw([], error.message);
    }
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.dialog.requestFullscreen?.().catch(() => {});
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const key = keyOf(event);
    const typing = isTyping(target);
    // A slider has the arrows to itself, and so has a player; on the stage they turn pages.
    if ((typing && !/^Ctrl\+/.test(key)) || (target.matches('audio, video, [role="slider"], input') && /^(Arrow|Space$|Home$|End$)/.test(key))) return;
    if (target.closest('.scrolls') && /^(Home|End)$/.test(key)) {
      event.preventDefault();
      if (!this.shown?.key?.(key)) target.scrollTo({ top: key === 'Home' ? 0 : target.scrollHeight });
      return;
    }
    const onButton = target.tagName === 'BUTTON' || target.tagName === 'A';
    if (!(key === 'Space' && onButton) && !/^(Home|End)$/.test(key) && this.shown?.key?.(key)) {
      event.preventDefault();
      return;
    }
    const modes = this.asset ? modesOf(this.asset) : [];
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Home: () => this.dispatchEvent(new CustomEvent('end', { detail: { last: false } })),
      End: () => this.dispatchEvent(new CustomEvent('end', { detail: { last: true } })),
      F: () => this.fullScreen(),
      I: () => this.toggleInfo(),
      B: () => modes.length > 1 && this.choose(this.mode === 'bytes' ? this.chosen.get(modes[0]) ?? this.usualMode() : 'bytes'),
      Space: () => !onButton && !target.closest('.scrolls') && this.close(),
    };
    if (!acts[key] || (key === 'Space' && (onButton || target.closest('.scrolls')))) return;
    event.preventDefault();
    acts[key]();
  }

  swipes() {
    let x = 0;
    let y = 0;
    let fingers = 0;
    this.content.addEventListener('touchstart', (/** @type {TouchEvent} */ event) => {
      fingers = Math.max(event.touches.length, event.touches.length > 1 ? 2 : 0);
      x = event.touches[0].clientX;
      y = event.touches[0].clientY;
    }, { passive: true });
    this.content.addEventListener('touchend', (/** @type {TouchEvent} */ event) => {
      if (fingers !== 1 || this.shown?.gestures?.() || /** @type {HTMLElement} */ (event.target).closest('.scrolls, audio, video, canvas, input')) return;
      const dx = event.changedTouches[0].clientX - x;
      const dy = event.changedTouches[0].clientY - y;
      if (Math.abs(dx) > 60 && Math.abs(dx) > 2 * Math.abs(dy)) this.step(dx < 0 ? 1 : -1);
      else if (dy > 90 && dy > 2 * Math.abs(dx)) this.close();
    }, { passive: true });
  }
}
