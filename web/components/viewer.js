// The viewer over the listing: one asset at a time, arrows in the listing's order. It owns the frame, the ways an asset can be
// looked at, the facts beside it and what is said when something fails; how a kind is shown is a module of viewers/.

import { addressOf, api } from '../api.js';
import { keyOf } from '../actions.js';
import { factLine, factRows } from '../lib/facts.js';
import { bytes, count, dayAndTime, dotted, fullNameNode, h, hasFocus, icon, iconButton, isTyping, nameNode, plural, set, typeWord, visibleName } from '../lib/html.js';
import { MODE_WORDS, modesOf } from '../lib/modes.js';
import { sleep } from '../lib/queue.js';
import { iconOf, kindOf } from './cells.js';
import { facts as factList } from './details.js';
import { viewerStrip } from './viewer_strip.js';

const BUSY_MS = 400;
const BUSY_TRIES = 4;

/** What a module of viewers/ is handed, and what it may give back. `fail` ends it: the bytes are shown with the reason. `sayIfCut`
 * says of a file cut short what becomes of it as far as it goes, or what it is told to.
 * @typedef {{box: HTMLElement, tools: HTMLElement, asset: import('../api.js').Asset, signal: AbortSignal,
 *   note: (text: string) => void, noteFacts: (otherwise?: () => string) => void, notice: (text: string) => void,
 *   fail: (why: string, error?: any) => void, notKnown: (what: string) => void,
 *   sayIfCut: (what: string, goes?: string) => void, details: () => Promise<import('../api.js').AssetDetails>, facts: () => Promise<import('../lib/facts.js').Facts>}} Stage
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

/**
 * @param {HTMLDialogElement} dialog @param {import('./thumbs.js').Thumbs} thumbs
 * @param {{step: (by: number) => void, end: (last: boolean) => void, told: (id: number, mode: string) => void, close: () => void}} tell
 *   what the person asks for; told: the mode of an asset, '' for the usual one. The view answers with `show`
 */
export function makeViewer(dialog, thumbs, { step, end, told, close }) {
  let id = 0;
  /** @type {any} the asset, once it is known */
  let asset = null;
  /** Everything asked for the asset shown. */
  let asking = new AbortController();
  /** Everything asked for the way it is shown. */
  let looking = new AbortController();
  /** @type {Shown} */
  let shown = {};
  /** @type {import('../lib/modes.js').Mode} */
  let mode = 'empty';
  /** The mode that the address asks for. */
  let asked = '';
  /** @type {() => Promise<import('../api.js').AssetDetails>} */
  let details;
  /** @type {() => Promise<any>} */
  let facts;
  /** Chosen in place of the usual mode, by that. @type {Map<string, import('../lib/modes.js').Mode>} */
  const chosen = new Map();
  const title = h('h2#viewer-name');
  const position = h('span.position#viewer-position');
  const modeButtons = h('div.segment', { role: 'group', label: 'Shown as' });
  const raw = h('a.button.plain.raw#viewer-raw', { target: '_blank', rel: 'noopener', tip: 'Open the bytes in a tab' }, icon('open'));
  const download = h('a.button.plain', { download: true, tip: 'Download' }, icon('download'));
  const notices = h('div.viewer-notices', { role: 'status' });
  const content = h('div.viewer-content');
  const info = h('aside.viewer-info', { label: 'Facts', tabindex: 0, hidden: true });
  const tools = h('div.viewer-tools');
  const noted = h('span.viewer-note');
  const strip = viewerStrip(thumbs, (by) => by !== 0 && step(by));
  /** @param {string} glyph @param {string} label @param {string} key @param {() => void} act @param {Record<string, any>} [more] */
  const button = (glyph, label, key, act, more) => iconButton(glyph, label, act, { title: `${label} (${key})`, ...more });
  const infoButton = button('info', 'Facts', 'I', toggleInfo, { pressed: false });
  const back = button('chevron-left', 'Previous', '←', () => step(-1), { class: 'viewer-step back' });
  const forward = button('chevron', 'Next', '→', () => step(1), { class: 'viewer-step on', id: 'viewer-next' });
  dialog.append(
    h('div.viewer-bar', button('close', 'Close', 'Esc', close), title, position, modeButtons,
      infoButton, button('fullscreen', 'Full screen', 'F', fullScreen, { class: 'plain full' }), raw, download),
    notices,
    h('div.viewer-stage', content, info, back, forward), h('div.viewer-foot', tools, noted), strip.element);
  set(dialog, {
    oncancel(event) {
      event.preventDefault();
      close();
    },
    // Chromium closes a dialog on the second Escape whatever the page says to the first.
    onclose: () => id !== 0 && close(),
    onkeydown: onKey,
  });
  swipes();

  /** Taken down by the view, once the address says so. */
  function hide() {
    asking.abort();
    id = 0;
    clear();
    strip.draw(() => undefined);
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    dialog.close();
  }

  function clear() {
    looking.abort();
    shown.end?.();
    shown = {};
    // Keys go on working when what had the focus is taken away.
    if (hasFocus(content) || hasFocus(tools)) dialog.focus();
    for (const part of [content, tools, notices]) part.replaceChildren();
    content.className = 'viewer-content';
    dialog.removeAttribute('data-state');
  }

  /** @param {string} state */
  function say(state) {
    dialog.dataset.state = state;
  }

  /**
   * @param {{id: number, asset: import('../api.js').Asset | null, mode: string, index: number, total: number,
   *   near: (by: number) => import('../api.js').Asset | undefined}} what mode is what the address asks for, '' for
   *   the usual one; index is -1 where the asset's place in the listing is not known; near gives what stands so many further on
   */
  function show({ index, total, near, ...what }) {
    position.textContent = index >= 0 ? `${count(index + 1)} of ${count(total)}` : '';
    back.hidden = index <= 0;
    forward.hidden = index < 0 || index >= total - 1;
    if (!dialog.open) {
      dialog.showModal();
      dialog.focus();
    }
    strip.draw(near);
    const same = what.mode === asked;
    asked = what.mode;
    if (what.id === id) {
      if (!same && asset?.id === id && modeAsked() !== mode) look(modeAsked());
      return;
    }
    ({ id } = what);
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    details = once(() => api.details(what.id, signal));
    facts = once(() => api.facts(what.id, signal));
    clear();
    if (what.asset) draw(what.asset);
    else ask(signal);
  }

  /** @param {AbortSignal} signal */
  async function ask(signal) {
    const busy = busySoon(signal);
    try {
      const found = await details();
      if (!signal.aborted) draw(found);
    } catch (error) {
      if (!signal.aborted) content.replaceChildren(h('div.facts-card', icon('error'), h('p.problem', error.message)));
    } finally {
      clearTimeout(busy);
    }
  }

  /** A turning ring, if it takes long enough to be wondered at. @param {AbortSignal} signal */
  function busySoon(signal) {
    return setTimeout(() => {
      if (!signal.aborted && content.childElementCount === 0) content.append(h('span.spinner', { role: 'status', label: 'Loading' }));
    }, BUSY_MS);
  }

  /** @param {any} found */
  function draw(found) {
    asset = found;
    const name = visibleName(asset.filename);
    title.replaceChildren(nameNode(asset.filename));
    title.title = name;
    set(dialog, { label: name });
    download.href = addressOf.download(asset.id);
    raw.href = addressOf.bytes(asset.id);
    Object.assign(content.dataset, { kind: kindOf(asset), type: asset.type });
    const ways = modes();
    modeButtons.replaceChildren(...(ways.length > 1 ? ways : []).map((way) => h(`button.plain#mode-${way}`, {
      'data-mode': way, title: way === 'bytes' ? 'Bytes (B)' : MODE_WORDS[way], onclick: () => choose(way),
    }, MODE_WORDS[way])));
    look(modeAsked());
    drawInfo();
    tellMode();
  }

  function modes() {
    return asset ? modesOf(asset) : [];
  }

  /** What is usual on this screen for what is shown. */
  function usualMode() {
    const [first, second] = modes();
    return second === 'beside' && innerWidth >= 1000 ? second : first;
  }

  /** What was chosen for others of the kind, or what is usual. */
  function preferred() {
    return chosen.get(modes()[0]) ?? usualMode();
  }

  function modeAsked() {
    return modes().find((way) => way === asked) ?? preferred();
  }

  /** @param {import('../lib/modes.js').Mode} way */
  function choose(way) {
    if (way !== 'bytes') chosen.set(modes()[0], way);
    look(way);
    tellMode();
  }

  /** The address says what is seen, so that it leads there. */
  function tellMode() {
    asked = mode === usualMode() ? '' : mode;
    told(id, asked);
  }

  /** Shows the asset in one of its ways. @param {import('../lib/modes.js').Mode} way @param {string} [why] it is not another @param {number} [tries] */
  async function look(way, why = '', tries = 0) {
    const known = facts;
    clear();
    mode = way;
    looking = new AbortController();
    const { signal } = looking;
    for (const each of modeButtons.children) set(each, { pressed: each.dataset.mode === way });
    content.dataset.mode = way;
    const { type, size_original: size, id: shownId } = asset;
    /** @param {string} text */
    const note = (text) => {
      noted.textContent = dotted(typeWord(type), bytes(size), text);
    };
    note('');
    if (why) notice(why);
    if (way === 'empty') {
      card('This file is empty.');
      say('shown');
      return;
    }
    say('loading');
    const busy = busySoon(signal);
    /** @type {Stage} */
    const stage = {
      box: content, tools, asset, signal, note, details,
      notice: (text) => !signal.aborted && notice(text),
      fail: (reason, error) => !signal.aborted && failed(reason, error, signal),
      notKnown: (what) => stage.fail(`${what}: this browser does not know its kind, or the file is cut short or damaged inside.`),
      sayIfCut: (what, goes) => known().then((answer) => answer.ends_early && stage.notice(goes ? `${what} ends early: it was cut short, and ${goes} as far as it goes.` : what), () => {}),
      facts: () => known().then((answer) => answer.facts, () => ({})),
      noteFacts: (otherwise = () => '') => stage.facts().then((answer) => !signal.aborted && note(factLine(answer) || otherwise())),
    };
    try {
      await styled;
      const module = await MODULES[way]();
      if (signal.aborted) return;
      const opened = await module.open(stage) ?? {};
      if (signal.aborted) {
        opened.end?.();
        return;
      }
      shown = opened;
      if (dialog.dataset.state === 'loading') say('shown');
    } catch (error) {
      // A server busy with other files has time for this one soon.
      const soon = error.status === 503 && tries < BUSY_TRIES;
      if (soon) await sleep(Math.max(1, error.retryAfter) * 1000, signal).catch(() => {});
      if (signal.aborted) return;
      if (soon) look(way, why, tries + 1);
      else stage.fail(error.message, error);
    } finally {
      clearTimeout(busy);
      content.querySelector(':scope > .spinner')?.remove();
    }
  }

  /** @param {string} text */
  function notice(text) {
    notices.append(h('p', icon('warning'), h('span', text)));
  }

  /** Damage is said as such; where there is none, the bytes stand in for what could not be shown. @param {string} why @param {any} cause @param {AbortSignal} signal */
  async function failed(why, cause, signal) {
    const { id: shownId, size_original: size } = asset;
    say('failing');
    for (const at of new Set([0, size - 1])) {
      if (cause?.code === 'damaged') break;
      cause = await api.range(shownId, at, at, signal).then(() => null, (found) => found) ?? cause;
      if (signal.aborted) return;
    }
    const damaged = cause?.code === 'damaged';
    if (!damaged && mode !== 'bytes') {
      await look('bytes', why);
    } else {
      clear();
      card(damaged ? cause.message : why, true);
    }
    say(damaged ? 'damaged' : 'failed');
  }

  /** Instead of a content. @param {string} why @param {boolean} [isFailure] */
  function card(why, isFailure = false) {
    const again = mode === 'bytes';
    content.append(h(isFailure ? 'div.facts-card.damaged' : 'div.facts-card', icon(isFailure ? 'error' : iconOf(asset), 'big'),
      h('h3', fullNameNode(asset.filename)),
      h(isFailure ? 'p.problem' : 'p.meta', why),
      h('p.meta', dotted(asset.media_type, plural(asset.size_original, 'byte'))),
      isFailure
        ? h('button', { onclick: () => (again ? look('bytes') : choose('bytes')) }, again ? 'Try again' : 'See the bytes that can be read')
        : h('a.button.solid', { href: addressOf.download(asset.id), download: true }, icon('download'), `Download ${bytes(asset.size_original)}`)));
  }

  function toggleInfo() {
    info.hidden = !info.hidden;
    set(infoButton, { pressed: !info.hidden });
    drawInfo();
  }

  /** What is known of the asset, beside it. */
  function drawInfo() {
    const { signal } = asking;
    if (info.hidden || !asset) return;
    const { filename, media_type: media, size_original: size, modified_unix_ms: modified, created_at_unix_ms: created } = asset;
    const basic = [['Type', media], ['Size', `${bytes(size)} (${plural(size, 'byte')})`], ['Modified', dayAndTime(modified ?? NaN)], ['Added', dayAndTime(created)]];
    const drawFacts = ({ facts: inside = {}, message }) => !signal.aborted && info.replaceChildren(
      h('h3', fullNameNode(filename)), factList([...basic, ...factRows(inside)]), message ? h('p.meta', message) : '');
    drawFacts({});
    facts().then(drawFacts, drawFacts);
  }

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else dialog.requestFullscreen?.().catch(() => {});
  }

  /** @param {any} event */
  function onKey(event) {
    const { target } = event;
    const key = keyOf(event);
    // A slider has the arrows to itself, and so has a player; on the stage they turn pages.
    if ((isTyping(target) && !key.startsWith('Ctrl+')) || (target.matches('audio, video, [role="slider"], input') && /^(Arrow|Space$|Home$|End$)/.test(key))) return;
    const scrolls = target.closest('.scrolls');
    const onButton = target.matches('button, a');
    const isEnd = key === 'Home' || key === 'End';
    const offered = isEnd ? scrolls : key !== 'Space' || !onButton;
    /** @param {boolean} last */
    const toEnd = (last) => (scrolls ? target.scrollTo({ top: last ? target.scrollHeight : 0 }) : end(last));
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      Home: () => toEnd(false),
      End: () => toEnd(true),
      F: fullScreen,
      I: toggleInfo,
      B: () => modes().length > 1 && choose(mode === 'bytes' ? preferred() : 'bytes'),
      Space: close,
    };
    if (!offered || !shown.key?.(key)) {
      if (!acts[key] || (key === 'Space' && (onButton || scrolls))) return;
      acts[key]();
    }
    event.preventDefault();
  }

  function swipes() {
    let start = { clientX: 0, clientY: 0 };
    let fingers = 0;
    content.addEventListener('touchstart', ({ touches }) => {
      fingers = touches.length;
      [start] = touches;
    }, { passive: true });
    content.addEventListener('touchend', ({ target, changedTouches: [last] }) => {
      if (fingers !== 1 || shown.gestures?.() || target.closest('.scrolls, audio, video, canvas, input')) return;
      const dx = last.clientX - start.clientX;
      const dy = last.clientY - start.clientY;
      if (Math.abs(dx) > 60 && Math.abs(dx) > 2 * Math.abs(dy)) step(dx < 0 ? 1 : -1);
      else if (dy > 90 && dy > 2 * Math.abs(dx)) close();
    }, { passive: true });
  }

  return { show, hide };
}
