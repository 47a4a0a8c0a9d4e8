// What a selection amounts to: how many, how large where that is known, and the ids it stands for.

const SIZED_MOST = 2000;
const READ_AT_ONCE = 1000;

/** @typedef {{source: import('../lib/source.js').Source, selection: import('../lib/selection.js').Selection}} Chosen */

/** The size is null unless every selected asset is at hand. @param {Chosen} chosen */
export function selected({ source, selection }) {
  const total = source.assets;
  const n = selection.count(total);
  return { n, total, size: sizeOf({ source, selection }, n) };
}

/** @param {Chosen} chosen @param {number} n @returns {number | null} */
function sizeOf({ source, selection }, n) {
  if (selection.whole) return source.page?.bytes ?? null;
  if (n > SIZED_MOST) return null;
  const { ranges, without, ids } = selection.plan(source.assets);
  const wanted = new Set(ids);
  let size = 0;
  for (const [from, to] of ranges) {
    for (let index = from; index <= to; index += 1) {
      const asset = source.cache.get(index);
      if (!asset) return null;
      if (!without.has(asset.id)) size += asset.size_original;
    }
  }
  for (const items of source.cache.windows.values()) {
    if (wanted.size === 0) break;
    for (const asset of items) if (wanted.delete(asset.id)) size += asset.size_original;
  }
  return wanted.size === 0 ? size : null;
}

/** @param {Chosen} chosen @param {(read: number) => void} onRead @returns {Promise<number[]>} */
export async function selectedIds({ source, selection }, onRead) {
  const { ranges, without, ids } = selection.plan(source.assets);
  const all = new Set(ids);
  for (const [from, to] of ranges) {
    for (let offset = from; offset <= to && source.fetchAssets; offset += READ_AT_ONCE) {
      const page = await source.fetchAssets(offset, Math.min(READ_AT_ONCE, to - offset + 1));
      for (const asset of page.assets) if (!without.has(asset.id)) all.add(asset.id);
      onRead(all.size);
    }
  }
  return [...all];
}
