// The details panel: everything known about one asset, a selection, or the place itself.

import { addressOf, api } from '../api.js';
import { factRows } from '../lib/facts.js';
import { bytes, count, day, dayAndTime, fullNameNode, groupedHash, h, icon, iconButton, plural, typeWord, visibleName } from '../lib/html.js';
import { copy } from './messages.js';
import { iconOf, kindOf } from './cells.js';
import { pictureOf } from './thumbs.js';

const REST_MS = 90;
const TEXT_SHOWN = 1200;
const PLACES_SHOWN = 12;

/** @typedef {import('../api.js').Asset} Asset */

/** @param {HTMLElement} root @param {{close: () => void, view: (id: number) => void}} tell what the person asks for */
export function detailsOf(root, { close, view }) {
  /** 0 where no asset is shown. */
  let shownId = 0;
  let asking = new AbortController();
  let body = h('div');

  /** @param {string} title @param {...any} children */
  function fill(title, ...children) {
    body = h('div',
      h('div.details-head', h('h2', title), iconButton('close', 'Close details', close, { title: 'Close details (Alt+Enter)' })), children);
    root.replaceChildren(body);
  }

  /** Instead of an asset. @param {string} title @param {...any} children */
  function showInstead(title, ...children) {
    asking.abort();
    shownId = 0;
    fill(title, children);
  }

  /** @param {string} name @param {string} summary @param {[string, string][]} rows @param {string | null} zip */
  function showPlace(name, summary, rows, zip) {
    showInstead('This place', h('h2', fullNameNode(name)), h('p.meta', summary),
      h('div.buttons', zip && downloadLink('zip', 'Download ZIP', zip)), facts(rows));
  }

  /** @param {number} n @param {string} size */
  function showSelection(n, size) {
    showInstead('Selection', h('p', `${plural(n, 'asset')} selected${size ? ` · ${size}` : ''}`));
  }

  /** @param {Asset | null} asset what is known of it already @param {number} id */
  function showAsset(asset, id) {
    if (id === shownId) return;
    shownId = id;
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const parts = asset && drawAsset(asset);
    // Walking through a listing with the arrow keys asks for none of those passed by.
    setTimeout(() => signal.aborted || ask(id, parts, signal), REST_MS);
  }

  /** @param {number} id @param {any | null} drawn @param {AbortSignal} signal */
  async function ask(id, drawn, signal) {
    // Each answer has its own place, so none waits for another, and a late one cannot write where a newer asset stands.
    const inside = api.facts(id, signal).catch(() => null);
    const elsewhere = api.places(id, signal).catch(() => null);
    try {
      const details = await api.details(id, signal);
      if (signal.aborted) return;
      const parts = drawn ?? drawAsset(details);
      drawMore(parts, details);
      /** @param {HTMLElement} part @param {any[]} children */
      const fillPart = (part, children) => signal.aborted || part.replaceChildren(...children);
      await Promise.all([
        inside.then((answer) => fillPart(parts.facts, answer ? knownFacts(answer) : [])),
        elsewhere.then((answer) => fillPart(parts.places, answer ? otherPlaces(answer, id) : [])),
      ]);
    } catch (error) {
      if (signal.aborted) return;
      shownId = 0;
      const problem = h('p.problem', { role: 'status' }, error.message);
      if (drawn) drawn.places.replaceChildren(problem);
      else fill('Details', problem);
    } finally {
      if (!signal.aborted) body.style.minHeight = '';
    }
  }

  /** A link to another asset. @param {number} id @param {Record<string, any>} props @param {any} children */
  function link(id, props, children) {
    return h('button.link', { onclick: () => view(id), ...props }, children);
  }

  /** What the listing knew, with room for what is still asked for. @param {Asset} asset */
  function drawAsset(asset) {
    const { id, size_original: size, filename } = asset;
    const hash = h('span.hash#details-sha256', groupedHash(asset.sha256));
    const parts = {
      asset,
      preview: link(id, { class: 'preview', 'data-kind': kindOf(asset), label: `Open ${visibleName(filename)}` }, h('span', size === 0 ? 'Empty file' : icon(iconOf(asset)))),
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
    const before = body.offsetHeight;
    fill('Details', parts.preview,
      h('h2#details-name', fullNameNode(filename)),
      h('p.sealed', icon('seal'), `Sealed ${day(asset.created_at_unix_ms)}`),
      // Above all that comes later, so that they never move away under the pointer.
      h('div.buttons', link(id, { class: 'solid' }, 'Open'), downloadLink('download', 'Download', addressOf.download(id), { id: 'download' })),
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
    body.style.minHeight = `${before}px`;
    return parts;
  }

  /** @param {any} parts @param {import('../api.js').AssetDetails} more */
  function drawMore(parts, { collection_id, path, crc32, chunks, leaf_hash, encoding, content, version_ids: ids, id: own }) {
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
      return h('li', id === own ? h('span', words('shown here')) : link(id, {}, words(`entry ${count(id)}`)));
    }))));
  }

  /** @param {Awaited<ReturnType<typeof api.places>>} answer @param {number} own */
  function otherPlaces({ places, total }, own) {
    const shown = places.filter(({ id }) => id !== own).slice(0, PLACES_SHOWN);
    const rest = total - 1 - shown.length;
    return shown.length === 0 ? [] : [section(`The same content in ${plural(total - 1, 'other place')}`,
      h('ul.places-list#same-content', shown.map(({ id, path, created_at_unix_ms: at, newest }) => h('li',
        link(id, { title: visibleName(path) }, h('bdi', visibleName(path))),
        h('span.meta', ` ${day(at)}${newest ? '' : ', an older version'}`)))),
      rest > 0 && h('p.meta', `and ${count(rest)} more`))];
  }

  return {
    showPlace,
    showSelection,
    showAsset,
    /** Whatever is shown next is drawn. */
    forget() {
      shownId = 0;
    },
  };
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
