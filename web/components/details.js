// The details panel: everything known about one asset, a selection, or the place itself.

import { addressOf, api } from '../api.js';
import { factRows } from '../lib/facts.js';
import { bytes, count, dayAndTime, day, groupedHash, plural, typeWord, visibleName } from '../lib/format.js';
import { fullNameNode, h, icon } from '../lib/html.js';
import { copy } from './messages.js';
import { iconOf, kindOf } from './cells.js';
import { pictureOf } from './thumbs.js';

const REST_MS = 90;
const TEXT_SHOWN = 1200;
const PLACES_SHOWN = 12;

/** Fires `view` {id}, `close`. */
export class Details extends EventTarget {
  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.root = root;
    this.key = '';
    /** @type {AbortController | null} */
    this.asking = null;
    /** @type {HTMLElement | null} */
    this.body = null;
  }

  /** @param {string} title @param {...any} children */
  fill(title, ...children) {
    this.body = h('div', {},
      h('div.details-head', h('h2', title),
        h('button.plain', { label: 'Close details', title: 'Close details (Alt+Enter)', testid: 'details-close', onclick: () => this.dispatchEvent(new CustomEvent('close')) }, icon('close'))),
      ...children.filter(Boolean));
    this.root.replaceChildren(this.body);
  }

  /** @param {string} name @param {string} summary @param {[string, string][]} rows @param {string | null} zip */
  showPlace(name, summary, rows, zip) {
    this.cancel();
    this.key = '';
    this.fill('This place', h('h2', fullNameNode(name)), h('p.meta', summary), h('div.buttons',
      zip && h('a.button', { href: zip, download: '', testid: 'details-download-place' }, icon('zip'), 'Download ZIP')),
    facts(rows));
  }

  /** @param {number} n @param {string} size */
  showSelection(n, size) {
    this.cancel();
    this.key = '';
    this.fill('Selection', h('p', `${plural(n, 'asset')} selected${size ? ` · ${size}` : ''}`));
  }

  /** @param {import('../api.js').Asset | null} asset what is known of it already @param {number} id */
  showAsset(asset, id) {
    const key = `${id}`;
    if (key === this.key) return;
    this.key = key;
    this.cancel();
    const asking = new AbortController();
    this.asking = asking;
    const parts = asset ? this.drawAsset(asset) : null;
    // Walking through a listing with the arrow keys asks for none of those passed by.
    setTimeout(() => {
      if (!asking.signal.aborted) this.ask(id, parts, asking.signal);
    }, REST_MS);
  }

  /** @param {number} id @param {ReturnType<Details['drawAsset']> | null} drawn @param {AbortSignal} signal */
  async ask(id, drawn, signal) {
    // Each answer has its own place, so none waits for another, and a late one cannot write where a newer asset stands.
    const known = api.facts(id, signal);
    const places = api.places(id, signal);
    known.catch(() => {});
    places.catch(() => {});
    try {
      const details = await api.details(id, signal);
      if (signal.aborted) return;
      const parts = drawn ?? this.drawAsset(details);
      this.drawMore(parts, details);
      await Promise.allSettled([
        known.then((answer) => !signal.aborted && this.drawFacts(parts, answer), () => !signal.aborted && parts.facts.replaceChildren()),
        places.then((answer) => !signal.aborted && this.drawPlaces(parts, answer, details), () => !signal.aborted && parts.places.replaceChildren()),
      ]);
    } catch (error) {
      if (signal.aborted) return;
      this.key = '';
      const problem = h('p.problem', { role: 'status', testid: 'details-problem' }, /** @type {Error} */ (error).message);
      if (drawn) drawn.places.replaceChildren(problem);
      else this.fill('Details', problem);
    } finally {
      if (!signal.aborted) this.body.style.minHeight = '';
    }
  }

  cancel() {
    this.asking?.abort();
    this.asking = null;
  }

  /** @param {number} id */
  view(id) {
    this.dispatchEvent(new CustomEvent('view', { detail: { id } }));
  }

  /** What the listing knew, with room for what is still asked for. @param {import('../api.js').Asset} asset */
  drawAsset(asset) {
    const hash = h('span.hash', { testid: 'details-sha256' }, groupedHash(asset.sha256));
    const rows = /** @type {[string, any][]} */ ([
      ['Type', `${typeWord(asset.type)} · ${asset.media_type}`],
      ['Size', `${bytes(asset.size_original)}${asset.size_original > 999 ? ` (${count(asset.size_original)} bytes)` : ''}`],
      ['Modified', asset.modified_unix_ms === null ? 'not known' : dayAndTime(asset.modified_unix_ms)],
      ['Sealed', dayAndTime(asset.created_at_unix_ms)],
    ]);
    if (asset.executable) rows.push(['Mode', 'executable']);
    const proved = /** @type {[string, any][]} */ ([
      ['SHA-256', h('span', hash, ' ', h('button.link', { label: 'Copy the hash', title: 'Copy', testid: 'copy-sha256', onclick: () => copy(asset.sha256, 'Hash', hash),
      }, icon('copy')))],
      ['Position', h('span.number', { testid: 'details-position' }, `entry ${count(asset.id)} of the log`)],
    ]);
    const parts = {
      asset,
      preview: this.preview(asset),
      facts: h('div.known', { testid: 'details-facts' }),
      proved: facts(proved),
      place: h('div'),
      versions: h('div'),
      places: h('div'),
    };
    const before = this.body?.offsetHeight ?? 0;
    this.fill('Details', parts.preview,
      h('h2', { testid: 'details-name' }, fullNameNode(asset.filename)),
      h('p.sealed', icon('seal'), `Sealed ${day(asset.created_at_unix_ms)}`),
      // Above all that comes later, so that they never move away under the pointer.
      h('div.buttons',
        h('button.solid', { testid: 'details-open', onclick: () => this.view(asset.id) }, 'Open'),
        h('a.button', { href: addressOf.download(asset.id), download: '', testid: 'download' }, icon('download'), 'Download')),
      parts.place, facts(rows), parts.facts,
      h('section', h('h3', 'Proof'), parts.proved, h('div.buttons',
        h('a.button', { href: addressOf.proof(asset.id), download: '', title: 'The inclusion proof, for `compactvault check-proof`', testid: 'details-proof' }, icon('seal'), 'Download proof'))),
      parts.versions, parts.places);
    // What comes later has its room already, so nothing jumps.
    this.body.style.minHeight = `${before}px`;
    return parts;
  }

  /** @param {ReturnType<Details['drawAsset']>} parts @param {import('../api.js').AssetDetails} more */
  drawMore(parts, more) {
    parts.place.replaceChildren(h('p.where', h('a', { href: `/c/${more.collection_id}`, testid: 'details-path' },
      icon('collection'), h('bdi', { dir: 'auto' }, visibleName(more.path.slice(0, Math.max(0, more.path.lastIndexOf('/'))))))));
    const rows = /** @type {[string, any][]} */ ([['CRC-32', h('span.hash', more.crc32)], ['Chunks', count(more.chunks)]]);
    if (more.leaf_hash) rows.push(['Leaf', h('span.hash', more.leaf_hash)]);
    if (more.encoding) rows.push(['Encoding', more.encoding]);
    parts.proved.append(...facts(rows).children);
    if (more.content && !parts.asset.thumbnail) parts.preview.replaceChildren(h('pre', more.content.slice(0, TEXT_SHOWN)));
    if (more.version_ids.length > 1) parts.versions.replaceChildren(versions(more, (id) => this.view(id)));
  }

  /** @param {ReturnType<Details['drawAsset']>} parts @param {Awaited<ReturnType<typeof api.facts>>} answer */
  drawFacts(parts, { facts: known, state, message }) {
    const rows = factRows(known);
    if (rows.length > 0) parts.facts.replaceChildren(h('h3', 'Content'), facts(rows));
    else if (state === 'failed') parts.facts.replaceChildren(h('p.meta', message ?? 'What is inside could not be read.'));
  }

  /** @param {ReturnType<Details['drawAsset']>} parts @param {Awaited<ReturnType<typeof api.places>>} answer @param {import('../api.js').AssetDetails} details */
  drawPlaces(parts, { places, total }, { id }) {
    const others = places.filter((place) => place.id !== id);
    if (others.length === 0) return;
    const shown = others.slice(0, PLACES_SHOWN);
    parts.places.replaceChildren(h('section', h('h3', `The same content in ${plural(total - 1, 'other place')}`),
      h('ul.places-list', { testid: 'same-content' }, ...shown.map((place) => h('li', {},
        h('button.link', { title: visibleName(place.path), onclick: () => this.view(place.id) }, h('bdi', { dir: 'auto' }, visibleName(place.path))),
        h('span.meta', ` ${day(place.created_at_unix_ms)}${place.newest ? '' : ', an older version'}`)))),
      total - 1 > shown.length && h('p.meta', `and ${count(total - 1 - shown.length)} more`)));
  }

  /** @param {import('../api.js').Asset} asset */
  preview(asset) {
    const box = h('button.preview', { 'data-kind': kindOf(asset), label: `Open ${visibleName(asset.filename)}`, onclick: () => this.view(asset.id) });
    box.append(h('span', asset.size_original === 0 ? 'Empty file' : icon(iconOf(asset))));
    const address = pictureOf(asset, 320);
    if (address) {
      const image = h('img', { alt: '', decoding: 'async', src: address });
      image.addEventListener('load', () => box.replaceChildren(image));
    }
    return box;
  }
}

/** @param {import('../api.js').AssetDetails} details @param {(id: number) => void} open */
function versions(details, open) {
  const n = details.version_ids.length;
  return h('section', h('h3', plural(n, 'version')),
    h('ul.versions-list', { testid: 'versions' }, ...details.version_ids.map((id, i) => h('li', {},
      id === details.id
        ? h('span', `v${n - i}, shown here${i === 0 ? ', the newest' : ''}`)
        : h('button.link', { onclick: () => open(id) }, `v${n - i}, entry ${count(id)}${i === 0 ? ', the newest' : ''}`)))));
}

/** @param {[string, any][]} rows */
export function facts(rows) {
  return h('dl.facts', ...rows.flatMap(([term, value]) => [h('dt', term), h('dd', value)]));
}
