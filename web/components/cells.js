// How one entry of a listing is drawn, as a tile and as a row. Elements are recycled: each `fill` writes everything that may
// differ.

import { bytes, count, day, plural, splitName, typeWord, visibleName } from '../lib/format.js';
import { h, icon, nameNode, setIcon, setText } from '../lib/html.js';
import { pictureOf } from './thumbs.js';

/** @type {Record<string, string>} */
export const KIND_ICONS = { image: 'image', video: 'video', audio: 'audio', text: 'text', '3d': 'model', binary: 'binary' };

const ARCHIVES = new Set(['zip', 'gz', 'xz', 'bz2', 'zst', '7z', 'rar', 'tar', 'tgz', 'jar', 'deb', 'rpm']);
const FONTS = new Set(['ttf', 'otf', 'woff', 'woff2', 'pcf']);

/** The tint an asset is drawn in. @param {{type: string, format: string}} asset */
export function kindOf(asset) {
  if (asset.type === 'binary' && ARCHIVES.has(asset.format)) return 'archive';
  if (asset.type === 'binary' && FONTS.has(asset.format)) return 'font';
  return asset.type === '3d' ? 'model' : asset.type;
}

/** @param {{type: string, format: string}} asset */
export function iconOf(asset) {
  const kind = kindOf(asset);
  return asset.format === 'pdf' ? 'pdf' : kind === 'archive' || kind === 'font' ? kind : KIND_ICONS[asset.type] ?? 'binary';
}

/** Three or four letters on a tile. @param {{filename: string, format: string}} asset */
function badgeOf(asset) {
  const { extension } = splitName(asset.filename);
  return (extension.slice(1) || (asset.format === 'binary' ? 'file' : asset.format)).slice(0, 5).toUpperCase();
}

/** The place of an asset that a search found, '' in the listing of a place. @param {import('../api.js').Asset} asset */
function whereOf({ path }) {
  return path ? visibleName(path.slice(0, path.lastIndexOf('/'))) : '';
}

/** @param {any} folder a project or a collection */
export function folderFacts(folder) {
  const inside = [];
  if (folder.collections > 0) inside.push(plural(folder.collections, 'collection'));
  if (folder.assets > 0 || inside.length === 0) inside.push(plural(folder.assets, 'asset'));
  return inside.join(', ');
}

/**
 * @typedef {{entry: import('../lib/source.js').Entry | undefined, index: number, active: boolean, selected: boolean,
 *   fresh: boolean}} Drawn
 */

/** A tile of the grid, an element with role gridcell. @param {import('./thumbs.js').Thumbs} thumbs */
export function makeTile(thumbs) {
  const image = pictureElement();
  const mosaic = h('div.mosaic', { hidden: true }, ...Array.from({ length: 4 }, pictureElement));
  const glyph = icon('binary');
  const badge = h('span.badge');
  const check = h('span.check', icon('check'));
  const versions = h('span.versions');
  const thumb = h('div.thumb', { 'aria-hidden': 'true' }, glyph, badge, image, mosaic, check, versions);
  const title = h('div.title');
  const meta = h('div.meta');
  const tile = h('div.tile', { role: 'gridcell' }, thumb, title, meta);

  /** @param {Drawn} drawn */
  function fill({ entry, index, active, selected, fresh }) {
    common(tile, { entry, index, active, selected, fresh });
    const holds = entry?.folder ?? null;
    if (holds !== folderShown) drawInside(holds);
    if (!entry) {
      thumbs.cancel(image);
      thumb.dataset.kind = 'none';
      setText(badge, '');
      showName(title, null);
      setText(meta, '');
      setText(versions, '');
      return;
    }
    const { folder, asset } = entry;
    thumb.dataset.kind = folder ? 'folder' : kindOf(asset);
    setIcon(glyph, folder ? ('project_id' in folder ? 'collection' : 'project') : iconOf(asset));
    setText(badge, folder ? '' : badgeOf(asset));
    setText(versions, asset && asset.versions > 1 ? `v${asset.versions}` : '');
    showName(title, folder ? folder.name : asset.filename);
    const where = asset ? whereOf(asset) : '';
    setText(meta, folder ? folderFacts(folder) : [bytes(asset.size_original), where].filter(Boolean).join(' · '));
    meta.title = where;
    thumbs.request(image, asset ? pictureOf(asset, thumbs.px) : '');
  }

  /** @type {any} */
  let folderShown = null;
  /** Pictures from inside a folder, on it. @param {any} folder */
  function drawInside(folder) {
    folderShown = folder;
    mosaic.hidden = true;
    for (const each of mosaic.children) thumbs.cancel(each);
    if (!folder || (folder.assets === 0 && folder.collections === 0)) return;
    thumbs.inside(folder, () => folderShown === folder && tile.checkVisibility(), (assets) => {
      mosaic.hidden = assets.length === 0;
      mosaic.dataset.count = String(assets.length);
      assets.forEach((asset, i) => thumbs.request(mosaic.children[i], pictureOf(asset, thumbs.px / 2)));
    });
  }

  return { element: tile, fill, release: () => { thumbs.cancel(image); drawInside(null); } };
}

function pictureElement() {
  return /** @type {HTMLImageElement} */ (h('img.picture', { alt: '', decoding: 'async', draggable: 'false' }));
}

/** The cells of one row of the list, in an element with role row made by the caller. @param {HTMLElement} row @param {import('./thumbs.js').Thumbs} thumbs */
export function makeListRow(row, thumbs) {
  const image = pictureElement();
  const glyph = icon('binary');
  const check = h('span.check', icon('check'));
  const nameText = h('span.title');
  const where = h('span.where');
  const versions = h('span.versions');
  const name = h('div.cell.c-name', { role: 'gridcell', 'aria-colindex': '1' }, h('span.glyph', glyph, image, check), nameText, versions, where);
  const type = h('div.cell.c-type', { role: 'gridcell', 'aria-colindex': '2' });
  const size = h('div.cell.c-size', { role: 'gridcell', 'aria-colindex': '3' });
  const added = h('div.cell.c-added', { role: 'gridcell', 'aria-colindex': '4' });
  const modified = h('div.cell.c-modified', { role: 'gridcell', 'aria-colindex': '5' });
  row.replaceChildren(name, type, size, added, modified);

  /** @param {Drawn} drawn */
  function fill(drawn) {
    const { entry } = drawn;
    common(row, drawn);
    // At this size only pictures tell more than their kind's sign does.
    thumbs.request(image, entry?.asset?.type === 'image' ? pictureOf(entry.asset, 24) : '');
    if (!entry) {
      row.dataset.kind = 'none';
      showName(nameText, null);
      for (const cell of [type, size, added, modified, versions, where]) setText(cell, '');
      return;
    }
    const { folder, asset } = entry;
    row.dataset.kind = folder ? 'folder' : kindOf(asset);
    setIcon(glyph, folder ? ('project_id' in folder ? 'collection' : 'project') : iconOf(asset));
    showName(nameText, folder ? folder.name : asset.filename);
    setText(where, asset ? whereOf(asset) : '');
    where.title = where.textContent ?? '';
    setText(versions, asset && asset.versions > 1 ? `v${asset.versions}` : '');
    setText(type, folder ? ('project_id' in folder ? 'Collection' : 'Project') : typeWord(asset.type));
    setText(size, folder ? count(folder.assets) : bytes(asset.size_original));
    size.title = folder ? plural(folder.assets, 'asset') : plural(asset.size_original, 'byte');
    setText(added, day(folder ? folder.created_at_unix_ms : asset.created_at_unix_ms));
    setText(modified, asset ? day(asset.modified_unix_ms) : '');
  }

  return { element: row, fill, release: () => thumbs.cancel(image) };
}

/** @type {WeakMap<HTMLElement, string>} */
const shownNames = new WeakMap();

/** Rebuilds the name only where it differs: a redraw for another selection touches every cell. @param {HTMLElement} element @param {string | null} name */
function showName(element, name) {
  if (name === null) {
    shownNames.delete(element);
    element.replaceChildren();
  } else if (shownNames.get(element) !== name) {
    shownNames.set(element, name);
    element.replaceChildren(nameNode(name));
  }
}

/** @param {HTMLElement} element @param {Drawn} drawn */
function common(element, { entry, index, active, selected, fresh }) {
  element.id = `entry-${index}`;
  element.tabIndex = -1;
  element.dataset.index = String(index);
  element.classList.toggle('active', active);
  element.classList.toggle('selected', selected);
  element.classList.toggle('fresh', fresh);
  element.classList.toggle('pending', !entry);
  if (!entry) {
    element.dataset.testid = 'pending-row';
    element.removeAttribute('data-id');
    element.removeAttribute('data-place');
    element.removeAttribute('aria-selected');
    element.setAttribute('aria-busy', 'true');
    element.removeAttribute('title');
    return;
  }
  const { folder, asset } = entry;
  element.removeAttribute('aria-busy');
  element.dataset.testid = folder ? 'folder-row' : 'asset-row';
  element.dataset.id = String(folder ? folder.id : asset.id);
  if (folder) element.dataset.place = `${'project_id' in folder ? 'c' : 'p'}/${folder.id}`;
  else element.removeAttribute('data-place');
  element.setAttribute('aria-selected', String(selected));
  element.title = visibleName(folder ? folder.name : asset.filename);
}
