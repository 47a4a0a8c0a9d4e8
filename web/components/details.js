// The details panel: one asset, a selection, or the place itself.

import { addressOf, api } from '../api.js';
import { bytes, count, dayAndTime, day, groupedHash, plural, splitName, typeWord, visibleName } from '../lib/format.js';
import { fullNameNode, h, icon } from '../lib/html.js';
import { copy } from './messages.js';
import { iconOf, kindOf } from './cells.js';

const PICTURE_MAX_BYTES = 20_000_000;
const REST_MS = 90;
const TEXT_SHOWN = 1200;

/** Fires `view` {id}, `close`. */
export class Details extends EventTarget {
  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.root = root;
    this.key = '';
    /** @type {AbortController | null} */
    this.asking = null;
  }

  /** @param {string} title @param {...any} children */
  fill(title, ...children) {
    this.root.replaceChildren(
      h('div', { class: 'details-head' }, h('h2', {}, title),
        h('button', { type: 'button', class: 'plain', 'aria-label': 'Close details', title: 'Close details (Alt+Enter)', 'data-testid': 'details-close', onclick: () => this.dispatchEvent(new CustomEvent('close')) }, icon('close'))),
      ...children.filter(Boolean));
  }

  /** @param {string} name @param {string} summary @param {[string, string][]} rows @param {string | null} zip */
  showPlace(name, summary, rows, zip) {
    this.cancel();
    this.key = '';
    this.fill('This place', h('h2', {}, fullNameNode(name)), h('p', { class: 'meta' }, summary), h('div', { class: 'buttons' },
      zip && h('a', { class: 'button', href: zip, download: '', 'data-testid': 'details-download-place' }, icon('zip'), 'Download ZIP')),
    facts(rows));
  }

  /** @param {number} n @param {string} size */
  showSelection(n, size) {
    this.cancel();
    this.key = '';
    this.fill('Selection', h('p', {}, `${plural(n, 'asset')} selected${size ? ` · ${size}` : ''}`));
  }

  /** @param {import('../api.js').Asset | null} asset what is known of it already @param {number} id */
  showAsset(asset, id) {
    const key = `${id}`;
    if (key === this.key) return;
    this.key = key;
    this.cancel();
    if (asset) this.drawAsset(asset, null);
    const asking = new AbortController();
    this.asking = asking;
    // Walking through a listing with the arrow keys asks for none of those passed by.
    setTimeout(async () => {
      if (asking.signal.aborted) return;
      try {
        const details = await api.details(id, asking.signal);
        if (!asking.signal.aborted) this.drawAsset(details, details);
      } catch (error) {
        if (asking.signal.aborted) return;
        this.key = '';
        if (!asset) this.fill('Details', h('p', { class: 'problem' }, error.message));
      }
    }, REST_MS);
  }

  cancel() {
    this.asking?.abort();
    this.asking = null;
  }

  /** @param {import('../api.js').Asset} asset @param {import('../api.js').AssetDetails | null} more */
  drawAsset(asset, more) {
    const hash = h('span', { class: 'hash', 'data-testid': 'details-sha256' }, groupedHash(asset.sha256));
    const rows = /** @type {[string, any][]} */ ([
      ['Type', `${typeWord(asset.type)} · ${asset.media_type}`],
      ['Size', `${bytes(asset.size_original)}${asset.size_original > 999 ? ` (${count(asset.size_original)} bytes)` : ''}`],
      ['Modified', dayAndTime(asset.modified_unix_ms)],
      ['Added', dayAndTime(asset.created_at_unix_ms)],
      ['Entry', h('span', { class: 'number' }, count(asset.id))],
      ['SHA-256', h('span', {}, hash, ' ', h('button', {
        type: 'button', class: 'link', 'aria-label': 'Copy the hash', title: 'Copy', onclick: () => copy(asset.sha256, 'Hash', hash),
      }, icon('copy')))],
    ]);
    if (asset.executable) rows.push(['Mode', 'executable']);
    if (more) {
      rows.push(['CRC-32', h('span', { class: 'hash' }, more.crc32)], ['Chunks', count(more.chunks)]);
      rows.push(['Path', h('a', { href: `/c/${more.collection_id}`, 'data-testid': 'details-path' }, h('bdi', { dir: 'auto' }, visibleName(more.path)))]);
      if (more.encoding) rows.push(['Encoding', more.encoding]);
    }
    this.fill('Details',
      preview(asset, more, () => this.dispatchEvent(new CustomEvent('view', { detail: { id: asset.id } }))),
      h('h2', { 'data-testid': 'details-name' }, fullNameNode(asset.filename)),
      h('p', { class: 'sealed' }, icon('seal'), `Sealed ${day(asset.created_at_unix_ms)}`),
      facts(rows),
      h('div', { class: 'buttons' },
        h('button', { type: 'button', 'data-testid': 'details-open', onclick: () => this.dispatchEvent(new CustomEvent('view', { detail: { id: asset.id } })) }, 'Open'),
        h('a', { class: 'button', href: addressOf.download(asset.id), download: '', 'data-testid': 'download' }, icon('download'), 'Download')),
      more && more.version_ids.length > 1 && versions(more, (id) => this.dispatchEvent(new CustomEvent('view', { detail: { id } }))));
  }
}

/** @param {import('../api.js').Asset} asset @param {import('../api.js').AssetDetails | null} more @param {() => void} open */
function preview(asset, more, open) {
  const box = h('button', { type: 'button', class: 'preview', 'data-kind': kindOf(asset), 'aria-label': `Open ${visibleName(asset.filename)}`, onclick: open });
  const glyph = h('span', {}, icon(iconOf(asset)));
  box.append(glyph);
  if (asset.type === 'image' && asset.size_original > 0 && asset.size_original <= PICTURE_MAX_BYTES) {
    const image = h('img', { alt: '', decoding: 'async', src: addressOf.bytes(asset.id) });
    image.addEventListener('load', () => box.replaceChildren(image));
  } else if (more?.content) {
    box.replaceChildren(h('pre', {}, more.content.slice(0, TEXT_SHOWN)));
  } else if (!splitName(asset.filename).extension && asset.size_original === 0) {
    box.replaceChildren(h('span', { class: 'meta' }, 'Empty file'));
  }
  return box;
}

/** @param {import('../api.js').AssetDetails} details @param {(id: number) => void} open */
function versions(details, open) {
  return h('section', {}, h('h2', {}, plural(details.version_ids.length, 'version')),
    h('ul', { class: 'versions-list', 'data-testid': 'versions' }, ...details.version_ids.map((id, i) => h('li', {},
      id === details.id
        ? h('span', {}, `v${details.version_ids.length - i}, shown here`)
        : h('button', { type: 'button', class: 'link', onclick: () => open(id) }, `v${details.version_ids.length - i}, entry ${count(id)}`)))));
}

/** @param {[string, any][]} rows */
export function facts(rows) {
  return h('dl', { class: 'facts' }, ...rows.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]));
}
