// The details panel: everything known about one asset, a selection, or the place itself.

import { addressOf, api } from '../api.js';
import { Emitter } from '../lib/emitter.js';
import { factRows } from '../lib/facts.js';
import { bytes, count, day, dayAndTime, fullNameNode, groupedHash, h, icon, iconButton, plural, typeWord, visibleName } from '../lib/html.js';
import { copy } from './messages.js';
import { iconOf, kindOf } from './cells.js';
import { pictureOf } from './thumbs.js';

const REST_MS = 90;
const TEXT_SHOWN = 1200;
const PLACES_SHOWN = 12;

/** @typedef {import('../api.js').Asset} Asset */

/** Fires `view` {id}, `close`. */
export class Details extends Emitter {
  key = '';
  asking = new AbortController();
  body = h('div');

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.root = root;
  }

  /** @param {string} title @param {...any} children */
  fill(title, ...children) {
    this.body = h('div',
      h('div.details-head', h('h2', title), iconButton('close', 'Close details', () => this.emit('close'), { title: 'Close details (Alt+Enter)' })), children);
    this.root.replaceChildren(this.body);
  }

  /** Instead of an asset. @param {string} title @param {...any} children */
  showInstead(title, ...children) {
    this.asking.abort();
    this.key = '';
    this.fill(title, children);
  }

  /** @param {string} name @param {string} summary @param {[string, string][]} rows @param {string | null} zip */
  showPlace(name, summary, rows, zip) {
    this.showInstead('This place', h('h2', fullNameNode(name)), h('p.meta', summary),
      h('div.buttons', zip && downloadLink('zip', 'Download ZIP', zip)), facts(rows));
  }

  /** @param {number} n @param {string} size */
  showSelection(n, size) {
    this.showInstead('Selection', h('p', `${plural(n, 'asset')} selected${size ? ` · ${size}` : ''}`));
  }

  /** @param {Asset | null} asset what is known of it already @param {number} id */
  showAsset(asset, id) {
    if (String(id) === this.key) return;
    this.key = String(id);
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const parts = asset && this.drawAsset(asset);
    // Walking through a listing with the arrow keys asks for none of those passed by.
    setTimeout(() => signal.aborted || this.ask(id, parts, signal), REST_MS);
  }

  /** @param {number} id @param {ReturnType<Details['drawAsset']> | null} drawn @param {AbortSignal} signal */
  async ask(id, drawn, signal) {
    // Each answer has its own place, so none waits for another, and a late one cannot write where a newer asset stands.
    const inside = api.facts(id, signal).catch(() => null);
    const elsewhere = api.places(id, signal).catch(() => null);
    try {
      const details = await api.details(id, signal);
      if (signal.aborted) return;
      const parts = drawn ?? this.drawAsset(details);
      this.drawMore(parts, details);
      /** @param {HTMLElement} part @param {any[]} children */
      const fill = (part, children) => signal.aborted || part.replaceChildren(...children);
      await Promise.all([
        inside.then((answer) => fill(parts.facts, answer ? knownFacts(answer) : [])),
        elsewhere.then((answer) => fill(parts.places, answer ? this.otherPlaces(answer, id) : [])),
      ]);
    } catch (error) {
      if (signal.aborted) return;
      this.key = '';
      const problem = h('p.problem', { role: 'status' }, error.message);
      if (drawn) drawn.places.replaceChildren(problem);
      else this.fill('Details', problem);
    } finally {
      if (!signal.aborted) this.body.style.minHeight = '';
    }
  }

  /** A link to another asset. @param {number} id @param {Record<string, any>} props @param {any} children */
  link(id, props, children) {
    return h('button.link', { onclick: () => this.emit('view', { id }), ...props }, children);
  }

  /** What the listing knew, with room for what is still asked for. @param {Asset} asset */
  drawAsset(asset) {
    const { id, size_original: size, filename } = asset;
    const hash = h('span.hash#details-sha256', groupedHash(asset.sha256));
    const parts = {
      asset,
      preview: this.link(id, { class: 'preview', 'data-kind': kindOf(asset), label: `Open ${visibleName(filename)}` }, h('span', size === 0 ? 'Empty file' : icon(iconOf(asset)))),
      facts: h('div.known#details-facts'),
      proved: facts([
        ['SHA-256', h('span', hash, ' ', h('button.link#copy-sha256', { label: 'Copy the hash', title: 'Copy', onclick: () => copy(asset.sha256, 'Hash', hash) }, icon('copy')))],
        ['Position', h('span.number', `entry ${count(id)} of the log`)],
      ]),
      place: h('div'),
      versions: h('div'),
      places: h('div'),
    };
    const address = pictureOf(asset, 320);
    if (address) {
      const image = h('img', { alt: '', decoding: 'async', src: address, onload: () => parts.preview.replaceChildren(image) });
    }
    const before = this.body.offsetHeight;
    this.fill('Details', parts.preview,
      h('h2#details-name', fullNameNode(filename)),
      h('p.sealed', icon('seal'), `Sealed ${day(asset.created_at_unix_ms)}`),
      // Above all that comes later, so that they never move away under the pointer.
      h('div.buttons', this.link(id, { class: 'solid' }, 'Open'), downloadLink('download', 'Download', addressOf.download(id), { id: 'download' })),
      parts.place,
      facts([
        ['Type', `${typeWord(asset.type)} · ${asset.media_type}`],
        ['Size', `${bytes(size)}${size > 999 ? ` (${count(size)} bytes)` : ''}`],
        ['Modified', asset.modified_unix_ms === null ? 'not known' : dayAndTime(asset.modified_unix_ms)],
        ['Sealed', dayAndTime(asset.created_at_unix_ms)],
        asset.executable && ['Mode', 'executable'],
      ]),
      parts.facts,
      section('Proof', parts.proved, h('div.buttons',
        downloadLink('seal', 'Download proof', addressOf.proof(id), { title: 'The inclusion proof, for `compactvault check-proof`', id: 'details-proof' }))),
      parts.versions, parts.places);
    // What comes later has its room already, so nothing jumps.
    this.body.style.minHeight = `${before}px`;
    return parts;
  }

  /** @param {ReturnType<Details['drawAsset']>} parts @param {import('../api.js').AssetDetails} more */
  drawMore(parts, { collection_id, path, crc32, chunks, leaf_hash, encoding, content, version_ids: ids, id: own }) {
    /** @param {string | null} text */
    const hash = (text) => text && h('span.hash', text);
    parts.place.replaceChildren(h('p.where', h('a#details-path', { href: `/c/${collection_id}` },
      icon('collection'), h('bdi', visibleName(path.slice(0, Math.max(0, path.lastIndexOf('/'))))))));
    parts.proved.append(...facts([['CRC-32', hash(crc32)], ['Chunks', count(chunks)], ['Leaf', hash(leaf_hash)], ['Encoding', encoding]].filter(([, value]) => value)).children);
    if (content && !parts.asset.thumbnail) parts.preview.replaceChildren(h('pre', content.slice(0, TEXT_SHOWN)));
    if (ids.length < 2) return;
    parts.versions.replaceChildren(section(plural(ids.length, 'version'), h('ul.versions-list#versions', ids.map((id, i) => {
      /** @param {string} what */
      const words = (what) => `v${ids.length - i}, ${what}${i === 0 ? ', the newest' : ''}`;
      return h('li', id === own ? h('span', words('shown here')) : this.link(id, {}, words(`entry ${count(id)}`)));
    }))));
  }

  /** @param {Awaited<ReturnType<typeof api.places>>} answer @param {number} own */
  otherPlaces({ places, total }, own) {
    const shown = places.filter(({ id }) => id !== own).slice(0, PLACES_SHOWN);
    const rest = total - 1 - shown.length;
    return shown.length === 0 ? [] : [section(`The same content in ${plural(total - 1, 'other place')}`,
      h('ul.places-list#same-content', shown.map(({ id, path, created_at_unix_ms: at, newest }) => h('li',
        this.link(id, { title: visibleName(path) }, h('bdi', visibleName(path))),
        h('span.meta', ` ${day(at)}${newest ? '' : ', an older version'}`)))),
      rest > 0 && h('p.meta', `and ${count(rest)} more`))];
  }
}

/** @param {Awaited<ReturnType<typeof api.facts>>} answer */
function knownFacts({ facts: known, state, message }) {
  const rows = factRows(known);
  if (rows.length > 0) return [h('h3', 'Content'), facts(rows)];
  return state === 'failed' ? [h('p.meta', message ?? 'What is inside could not be read.')] : [];
}

/** @param {string} glyph @param {string} words @param {string} href @param {Record<string, any>} more */
function downloadLink(glyph, words, href, more) {
  return h('a.button', { href, download: true, ...more }, icon(glyph), words);
}

/** @param {string} title @param {...any} children */
function section(title, ...children) {
  return h('section', h('h3', title), children);
}

/** @param {any[]} rows term and value; false leaves one out */
export function facts(rows) {
  return h('dl.facts', rows.filter(Boolean).flatMap(([term, value]) => [h('dt', term), h('dd', value)]));
}
