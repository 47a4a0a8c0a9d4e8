// How one entry of a listing is drawn, as a tile and as a row. Elements are recycled: each `fill` writes everything that may
// differ.

import { bytes, count, day, differs, dotted, h, icon, nameNode, plural, set, setIcon, setText, splitName, typeWord, visibleName } from '../lib/html.js';
import { keyOfPlace, kindOfPlace } from '../lib/tree_model.js';
import { pictureElement } from './thumbs.js';

/** Formats of a kind of their own among what is binary for the server. @type {Record<string, string[]>} */
const BINARY_KINDS = {
  archive: ['zip', 'gz', 'xz', 'bz2', 'zst', '7z', 'rar', 'tar', 'tgz', 'jar', 'deb', 'rpm'],
  font: ['ttf', 'otf', 'woff', 'woff2', 'pcf'],
};

/** The tint an asset is drawn in. @param {{type: string, format: string}} asset */
export function kindOf({ type, format }) {
  if (type === '3d') return 'model';
  return (type === 'binary' && Object.keys(BINARY_KINDS).find((kind) => BINARY_KINDS[kind].includes(format))) || type;
}

/** @param {{type: string, format: string}} asset */
export function iconOf(asset) {
  return asset.format === 'pdf' ? 'pdf' : kindOf(asset);
}

/** Three or four letters on a tile. @param {{filename: string, format: string}} asset */
function badgeOf({ filename, format }) {
  return (splitName(filename).extension.slice(1) || (format === 'binary' ? 'file' : format)).slice(0, 5).toUpperCase();
}

/** @param {any} folder a project or a collection */
function folderFacts({ collections, assets }) {
  return [collections > 0 && plural(collections, 'collection'), (assets > 0 || collections === 0) && plural(assets, 'asset')].filter(Boolean).join(', ');
}

/** What tiles and rows say alike. @param {import('../lib/source.js').Entry} entry */
function wordsOf({ folder, asset }) {
  if (folder) return { kind: 'folder', glyph: kindOfPlace(folder), name: folder.name, where: '', versions: '' };
  const { path, versions } = asset;
  return {
    kind: kindOf(asset), glyph: iconOf(asset), name: asset.filename, versions: versions > 1 ? `v${versions}` : '',
    // Of an asset that a search found; in the listing of a place it goes without saying.
    where: path ? visibleName(path.slice(0, path.lastIndexOf('/'))) : '',
  };
}

const NOTHING = { kind: 'none', glyph: 'binary', name: '', where: '', versions: '' };

/**
 * @typedef {{entry: import('../lib/source.js').Entry | undefined, index: number, active: boolean, selected: boolean,
 *   fresh: boolean}} Drawn
 */

/** A tile of the grid, an element with role gridcell. @param {import('./thumbs.js').Thumbs} thumbs */
export function makeTile(thumbs) {
  const image = pictureElement();
  const mosaic = h('div.mosaic', { hidden: true }, Array.from({ length: 4 }, pictureElement));
  const glyph = icon('binary');
  const badge = h('span.badge');
  const versions = h('span.versions');
  const thumb = h('div.thumb', { 'aria-hidden': true }, glyph, badge, image, mosaic, checkMark(), versions);
  const title = h('div.title');
  const meta = h('div.meta');
  const element = h('div.tile', { role: 'gridcell' }, thumb, title, meta);
  /** @type {any} */
  let folderShown = null;

  /** @param {Drawn} drawn */
  function fill(drawn) {
    const { folder = null, asset = null } = drawn.entry ?? {};
    const words = common(element, title, glyph, versions, drawn);
    if (folder !== folderShown) drawInside(folder);
    thumb.dataset.kind = words.kind;
    setText(badge, asset ? badgeOf(asset) : '');
    setText(meta, folder ? folderFacts(folder) : dotted(asset && bytes(asset.size_original), words.where));
    meta.title = words.where;
    thumbs.draw(image, asset, thumbs.px);
  }

  /** Pictures from inside a folder, on it. @param {any} folder */
  function drawInside(folder) {
    folderShown = folder;
    mosaic.hidden = true;
    for (const each of mosaic.children) thumbs.cancel(each);
    if (!folder || (folder.assets === 0 && folder.collections === 0)) return;
    thumbs.inside(folder, () => folderShown === folder && element.checkVisibility(), (assets) => {
      mosaic.hidden = assets.length === 0;
      mosaic.dataset.count = assets.length;
      assets.forEach((asset, i) => thumbs.draw(mosaic.children[i], asset, thumbs.px / 2));
    });
  }

  return {
    element,
    fill,
    release() {
      thumbs.cancel(image);
      drawInside(null);
    },
  };
}

function checkMark() {
  return h('span.check', icon('check'));
}

/** The cells of one row of the list, in an element with role row made by the caller. @param {HTMLElement} row @param {import('./thumbs.js').Thumbs} thumbs */
export function makeListRow(row, thumbs) {
  const image = pictureElement();
  const glyph = icon('binary');
  const title = h('span.title');
  const where = h('span.where.one-line');
  const versions = h('span.versions');
  const [name, type, size, added, modified] = ['name', 'type', 'size', 'added', 'modified'].map((column, i) => h(`div.cell.one-line.c-${column}`, { role: 'gridcell', colindex: i + 1 }));
  name.append(h('span.glyph', glyph, image, checkMark()), title, versions, where);
  row.replaceChildren(name, type, size, added, modified);

  /** @param {Drawn} drawn */
  function fill(drawn) {
    const { folder, asset } = drawn.entry ?? {};
    const words = common(row, title, glyph, versions, drawn);
    row.dataset.kind = words.kind;
    // At this size only pictures tell more than their kind's sign does.
    thumbs.draw(image, asset?.type === 'image' && asset, 24);
    setText(where, words.where);
    where.title = words.where;
    setText(type, folder ? (kindOfPlace(folder) === 'project' ? 'Project' : 'Collection') : asset ? typeWord(asset.type) : '');
    setText(size, folder ? count(folder.assets) : asset ? bytes(asset.size_original) : '');
    size.title = folder ? plural(folder.assets, 'asset') : asset ? plural(asset.size_original, 'byte') : '';
    setText(added, folder || asset ? day((folder ?? asset).created_at_unix_ms) : '');
    setText(modified, asset ? day(asset.modified_unix_ms) : '');
  }

  return { element: row, fill, release: () => thumbs.cancel(image) };
}

/**
 * What is drawn alike, and the words it is drawn from. The name is rebuilt only where it differs: a redraw for another
 * selection touches every cell.
 * @param {HTMLElement} element @param {HTMLElement} title @param {Element} glyph @param {HTMLElement} versions @param {Drawn} drawn
 */
function common(element, title, glyph, versions, { entry, index, active, selected, fresh }) {
  const words = entry ? wordsOf(entry) : NOTHING;
  const { folder, asset } = entry ?? {};
  for (const [name, on] of Object.entries({ active, selected, fresh, 'folder-row': folder, 'asset-row': asset, pending: !entry })) element.classList.toggle(name, Boolean(on));
  set(element, {
    id: `entry-${index}`, tabindex: -1, 'data-index': index, 'data-id': (folder ?? asset)?.id, 'data-place': folder && keyOfPlace(folder),
    selected: entry && selected, busy: entry ? null : true,
    title: entry && visibleName(words.name),
  });
  if (differs(title, words.name)) title.replaceChildren(words.name ? nameNode(words.name) : '');
  setIcon(glyph, words.glyph);
  setText(versions, words.versions);
  return words;
}
