// The viewer over the listing: one asset at a time, arrows in the listing's order. It owns the frame, the ways an asset can be
// looked at, the facts beside it and what is said when something fails; how a kind is shown is a module of viewers/.

import { addressOf, api } from '../api.js';
import { keyOf } from '../actions.js';
import { endsEarly } from '../lib/endings.js';
import { factLine, factRows } from '../lib/facts.js';
import { Emitter } from '../lib/emitter.js';
import { bytes, count, dayAndTime, dotted, fullNameNode, h, hasFocus, icon, iconButton, isTyping, nameNode, plural, set, show, typeWord, visibleName } from '../lib/html.js';
import { MODE_WORDS, modesOf } from '../lib/modes.js';
import { sleep } from '../lib/queue.js';
import { iconOf, kindOf } from './cells.js';
import { facts as factList } from './details.js';
import { viewerStrip } from './viewer_strip.js';

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

const media = () => import('../viewers/media.js');
/** @type {Record<Exclude<import('../lib/modes.js').Mode, 'empty'>, () => Promise<Module>>} */
const MODULES = {
  picture: () => import('../viewers/picture.js'),
  video: media,
  audio: media,
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
  document.head.append(h('link', { rel: 'stylesheet', href: new URL('../styles/viewer.css', import.meta.url), onload: resolve, onerror: resolve }));
});

/** Asks the first time only. @template T @param {() => Promise<T>} ask */
function once(ask) {
  /** @type {Promise<T> | undefined} */
  let answer;
  return () => answer ??= ask();
}

/** Fires `step` {by}, `end` {last}, `mode` {mode} ('' for the usual one), `close`. The view answers with `show`. */
export class Viewer extends Emitter {
  id = 0;
  /** @type {any} the asset, once it is known */
  asset = null;
  /** Everything asked for the asset shown. */
  asking = new AbortController();
  /** Everything asked for the way it is shown. */
  looking = new AbortController();
  /** @type {Shown} */
  shown = {};
  /** @type {import('../lib/modes.js').Mode} */
  mode = 'empty';
  /** The mode that the address asks for. */
  asked = '';
  /** Chosen in place of the usual mode, by that. @type {Map<string, import('../lib/modes.js').Mode>} */
  chosen = new Map();
  title = h('h2#viewer-name');
  position = h('span.position#viewer-position');
  modeButtons = h('div.segment', { role: 'group', label: 'Shown as' });
  raw = h('a.button.plain.raw#viewer-raw', { target: '_blank', rel: 'noopener', tip: 'Open the bytes in a tab' }, icon('open'));
  download = h('a.button.plain', { download: true, tip: 'Download' }, icon('download'));
  notices = h('div.viewer-notices', { role: 'status' });
  content = h('div.viewer-content');
  info = h('aside.viewer-info', { label: 'Facts', tabindex: 0, hidden: true });
  tools = h('div.viewer-tools');
  noted = h('span.viewer-note');

  /** @param {HTMLDialogElement} dialog @param {import('./thumbs.js').Thumbs} thumbs */
  constructor(dialog, thumbs) {
    super();
    this.dialog = dialog;
    this.strip = viewerStrip(thumbs, (by) => by !== 0 && this.step(by));
    /** @param {string} glyph @param {string} label @param {string} key @param {() => void} act @param {Record<string, any>} [more] */
    const button = (glyph, label, key, act, more) => iconButton(glyph, label, act, { title: `${label} (${key})`, ...more });
    this.infoButton = button('info', 'Facts', 'I', () => this.toggleInfo(), { pressed: false });
    this.back = button('chevron-left', 'Previous', '←', () => this.step(-1), { class: 'viewer-step back' });
    this.forward = button('chevron', 'Next', '→', () => this.step(1), { class: 'viewer-step on', id: 'viewer-next' });
    dialog.append(
      h('header.viewer-bar', button('close', 'Close', 'Esc', () => this.close()), this.title, this.position, this.modeButtons,
        this.infoButton, button('fullscreen', 'Full screen', 'F', () => this.fullScreen(), { class: 'plain full' }), this.raw, this.download),
      this.notices,
      h('div.viewer-stage', this.content, this.info, this.back, this.forward), h('footer.viewer-foot', this.tools, this.noted), this.strip.element);
    set(dialog, {
      oncancel: (event) => {
        event.preventDefault();
        this.close();
      },
      // Chromium closes a dialog on the second Escape whatever the page says to the first.
      onclose: () => this.id !== 0 && this.close(),
      onkeydown: (event) => this.onKey(event),
    });
    this.swipes();
  }

  get open() {
    return this.dialog.open;
  }

  /** @param {number} by */
  step(by) {
    this.emit('step', { by });
  }

  close() {
    this.emit('close');
  }

  /** Taken down by the view, once the address says so. */
  hide() {
    this.asking.abort();
    this.id = 0;
    this.clear();
    this.strip.draw(() => undefined);
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    this.dialog.close();
  }

  clear() {
    this.looking.abort();
    this.shown.end?.();
    this.shown = {};
    // Keys go on working when what had the focus is taken away.
    if (hasFocus(this.content) || hasFocus(this.tools)) this.dialog.focus();
    for (const part of [this.content, this.tools, this.notices]) part.replaceChildren();
    this.content.className = 'viewer-content';
    this.dialog.removeAttribute('data-state');
  }

  /** @param {string} state */
  say(state) {
    this.dialog.dataset.state = state;
  }

  /**
   * @param {{id: number, asset: import('../api.js').Asset | null, mode: string, index: number, total: number,
   *   near: (by: number) => import('../api.js').Asset | undefined}} what mode is what the address asks for, '' for
   *   the usual one; index is -1 where the asset's place in the listing is not known; near gives what stands so many further on
   */
  show({ id, asset, mode, index, total, near }) {
    this.position.textContent = index >= 0 ? `${count(index + 1)} of ${count(total)}` : '';
    this.back.hidden = index <= 0;
    this.forward.hidden = index < 0 || index >= total - 1;
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.dialog.focus();
    }
    this.strip.draw(near);
    const same = mode === this.asked;
    this.asked = mode;
    if (id === this.id) {
      if (!same && this.asset?.id === id && this.modeAsked !== this.mode) this.look(this.modeAsked);
      return;
    }
    this.id = id;
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.details = once(() => api.details(id, signal));
    this.facts = once(() => api.facts(id, signal));
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
      if (!signal.aborted) this.content.replaceChildren(h('div.facts-card', icon('error'), h('p.problem', error.message)));
    } finally {
      clearTimeout(busy);
    }
  }

  /** A turning ring, if it takes long enough to be wondered at. @param {AbortSignal} signal */
  busySoon(signal) {
    return setTimeout(() => {
      if (!signal.aborted && this.content.childElementCount === 0) this.content.append(h('span.spinner', { role: 'status', label: 'Loading' }));
    }, BUSY_MS);
  }

  /** @param {any} asset */
  draw(asset) {
    this.asset = asset;
    const name = visibleName(asset.filename);
    this.title.replaceChildren(nameNode(asset.filename));
    this.title.title = name;
    set(this.dialog, { label: name });
    this.download.href = addressOf.download(asset.id);
    this.raw.href = addressOf.bytes(asset.id);
    Object.assign(this.content.dataset, { kind: kindOf(asset), type: asset.type });
    const { modes } = this;
    this.modeButtons.replaceChildren(...(modes.length > 1 ? modes : []).map((mode) => h(`button.plain#mode-${mode}`, {
      'data-mode': mode, title: mode === 'bytes' ? 'Bytes (B)' : MODE_WORDS[mode], onclick: () => this.choose(mode),
    }, MODE_WORDS[mode])));
    this.look(this.modeAsked);
    this.drawInfo();
    this.tellMode();
  }

  get modes() {
    return this.asset ? modesOf(this.asset) : [];
  }

  /** What is usual on this screen for what is shown. */
  get usualMode() {
    const [first, second] = this.modes;
    return second === 'beside' && innerWidth >= 1000 ? second : first;
  }

  /** What was chosen for others of the kind, or what is usual. */
  get preferred() {
    return this.chosen.get(this.modes[0]) ?? this.usualMode;
  }

  get modeAsked() {
    return this.modes.find((mode) => mode === this.asked) ?? this.preferred;
  }

  /** @param {import('../lib/modes.js').Mode} mode */
  choose(mode) {
    if (mode !== 'bytes') this.chosen.set(this.modes[0], mode);
    this.look(mode);
    this.tellMode();
  }

  /** The address says what is seen, so that it leads there. */
  tellMode() {
    this.asked = this.mode === this.usualMode ? '' : this.mode;
    this.emit('mode', { mode: this.asked });
  }

  /** Shows the asset in one of its ways. @param {import('../lib/modes.js').Mode} mode @param {string} [why] it is not another @param {number} [tries] */
  async look(mode, why = '', tries = 0) {
    const { asset, content, details, facts } = this;
    this.clear();
    this.mode = mode;
    this.looking = new AbortController();
    const { signal } = this.looking;
    for (const each of this.modeButtons.children) set(each, { pressed: each.dataset.mode === mode });
    content.dataset.mode = mode;
    /** @param {string} text */
    const note = (text) => {
      this.noted.textContent = dotted(typeWord(asset.type), bytes(asset.size_original), text);
    };
    note('');
    if (why) this.notice(why);
    if (mode === 'empty') {
      this.card('This file is empty.');
      this.say('shown');
      return;
    }
    this.say('loading');
    const busy = this.busySoon(signal);
    /** @type {Stage} */
    const stage = {
      box: content, tools: this.tools, asset, signal, note,
      notice: (text) => !signal.aborted && this.notice(text),
      fail: (reason, error) => !signal.aborted && this.failed(reason, error, signal),
      notKnown: (what) => stage.fail(`${what}: this browser does not know its kind, or the file is cut short or damaged inside.`),
      sayIfCut: (text) => endsEarly(asset.media_type, asset.size_original, async (first, last) => new Uint8Array(await api.range(asset.id, first, last, signal)))
        .then((early) => early && stage.notice(text), () => {}),
      details,
      facts: () => facts().then((answer) => answer.facts, () => ({})),
      noteFacts: (otherwise = () => '') => stage.facts().then((known) => !signal.aborted && note(factLine(known) || otherwise())),
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
      if (this.dialog.dataset.state === 'loading') this.say('shown');
    } catch (error) {
      // A server busy with other files has time for this one soon.
      const soon = error.status === 503 && tries < BUSY_TRIES;
      if (soon) await sleep(Math.max(1, error.retryAfter) * 1000, signal).catch(() => {});
      if (signal.aborted) return;
      if (soon) this.look(mode, why, tries + 1);
      else stage.fail(error.message, error);
    } finally {
      clearTimeout(busy);
      content.querySelector(':scope > .spinner')?.remove();
    }
  }

  /** @param {string} text */
  notice(text) {
    this.notices.append(h('p', icon('warning'), h('span', text)));
  }

  /** Damage is said as such; where there is none, the bytes stand in for what could not be shown. @param {string} why @param {any} cause @param {AbortSignal} signal */
  async failed(why, cause, signal) {
    const { asset } = this;
    this.say('failing');
    for (const at of new Set([0, asset.size_original - 1])) {
      if (cause?.code === 'damaged') break;
      cause = await api.range(asset.id, at, at, signal).then(() => null, (found) => found) ?? cause;
      if (signal.aborted) return;
    }
    const damaged = cause?.code === 'damaged';
    if (!damaged && this.mode !== 'bytes') {
      await this.look('bytes', why);
    } else {
      this.clear();
      this.card(damaged ? cause.message : why, true);
    }
    this.say(damaged ? 'damaged' : 'failed');
  }

  /** Instead of a content. @param {string} why @param {boolean} [failed] */
  card(why, failed = false) {
    const { asset } = this;
    const again = this.mode === 'bytes';
    this.content.append(h(failed ? 'div.facts-card.damaged' : 'div.facts-card', icon(failed ? 'error' : iconOf(asset), 'big'),
      h('h3', fullNameNode(asset.filename)),
      h(failed ? 'p.problem' : 'p.meta', why),
      h('p.meta', `${asset.media_type} · ${plural(asset.size_original, 'byte')}`),
      failed
        ? h('button', { onclick: () => (again ? this.look('bytes') : this.choose('bytes')) }, again ? 'Try again' : 'See the bytes that can be read')
        : h('a.button.solid', { href: addressOf.download(asset.id), download: true }, icon('download'), `Download ${bytes(asset.size_original)}`)));
  }

  toggleInfo() {
    show(this.info, this.info.hidden);
    set(this.infoButton, { pressed: !this.info.hidden });
    this.drawInfo();
  }

  /** What is known of the asset, beside it. */
  async drawInfo() {
    const { asset } = this;
    const { signal } = this.asking;
    if (this.info.hidden || !asset) return;
    const basic = [['Type', asset.media_type], ['Size', `${bytes(asset.size_original)} (${plural(asset.size_original, 'byte')})`],
      ['Modified', dayAndTime(asset.modified_unix_ms ?? NaN)], ['Added', dayAndTime(asset.created_at_unix_ms)]];
    const draw = ({ facts = {}, message }) => !signal.aborted && this.info.replaceChildren(
      h('h3', fullNameNode(asset.filename)), factList([...basic, ...factRows(facts)]), message ? h('p.meta', message) : '');
    draw({});
    this.facts().then(draw, draw);
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.dialog.requestFullscreen?.().catch(() => {});
  }

  /** @param {any} event */
  onKey(event) {
    const { target } = event;
    const key = keyOf(event);
    // A slider has the arrows to itself, and so has a player; on the stage they turn pages.
    if ((isTyping(target) && !key.startsWith('Ctrl+')) || (target.matches('audio, video, [role="slider"], input') && /^(Arrow|Space$|Home$|End$)/.test(key))) return;
    const scrolls = target.closest('.scrolls');
    const onButton = target.matches('button, a');
    const isEnd = key === 'Home' || key === 'End';
    const offered = isEnd ? scrolls : key !== 'Space' || !onButton;
    /** @param {boolean} last */
    const toEnd = (last) => (scrolls ? target.scrollTo({ top: last ? target.scrollHeight : 0 }) : this.emit('end', { last }));
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Home: () => toEnd(false),
      End: () => toEnd(true),
      F: () => this.fullScreen(),
      I: () => this.toggleInfo(),
      B: () => this.modes.length > 1 && this.choose(this.mode === 'bytes' ? this.preferred : 'bytes'),
      Space: () => this.close(),
    };
    if (!offered || !this.shown.key?.(key)) {
      if (!acts[key] || (key === 'Space' && (onButton || scrolls))) return;
      acts[key]();
    }
    event.preventDefault();
  }

  swipes() {
    let start = { clientX: 0, clientY: 0 };
    let fingers = 0;
    this.content.addEventListener('touchstart', ({ touches }) => {
      fingers = touches.length;
      [start] = touches;
    }, { passive: true });
    this.content.addEventListener('touchend', ({ target, changedTouches: [end] }) => {
      if (fingers !== 1 || this.shown.gestures?.() || target.closest('.scrolls, audio, video, canvas, input')) return;
      const dx = end.clientX - start.clientX;
      const dy = end.clientY - start.clientY;
      if (Math.abs(dx) > 60 && Math.abs(dx) > 2 * Math.abs(dy)) this.step(dx < 0 ? 1 : -1);
      else if (dy > 90 && dy > 2 * Math.abs(dx)) this.close();
    }, { passive: true });
  }
}
