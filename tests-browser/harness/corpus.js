// Real files in a real tree: what lies on any Debian-like machine, plus the few kinds that may not. Everything is made from
// files found by walking in order of name, so that two runs on one machine test the same thing.

import assert from 'node:assert/strict';
import {
  copyFileSync, lstatSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync,
} from 'node:fs';
import path from 'node:path';

const SOURCES = ['/usr/share/doc', '/usr/share/perl', '/usr/share/icons', '/usr/share', '/usr/lib/python3', '/usr/include', '/usr/lib'];
const FILE_BYTES_MAX = 3_000_000;
const TOTAL_BYTES_MAX = 60_000_000;

/** What `webkitGetAsEntry` and every file system agree on. Odd names have a test of their own. */
const PLAIN_NAME = /^[\w .,+@=~()-]+$/;

/**
 * Files below a folder in order of name, without links, not too large.
 * @param {string} folder @returns {Generator<string>}
 */
function* filesBelow(folder) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const full = path.join(folder, entry.name);
    if (!PLAIN_NAME.test(entry.name)) continue;
    if (entry.isDirectory()) yield* filesBelow(full);
    else if (entry.isFile() && lstatSync(full).size <= FILE_BYTES_MAX) yield full;
  }
}

/** @param {(file: string) => boolean} accept @param {number} count @param {string[]} [sources] */
export function findFiles(accept, count, sources = SOURCES) {
  const found = new Set();
  for (const source of sources) {
    for (const file of filesBelow(source)) {
      if (accept(file)) found.add(file);
      if (found.size === count) return [...found];
    }
  }
  return [...found];
}

/** @param {string} from @param {string} to */
function copy(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
  const { atime, mtime } = statSync(from);
  utimesSync(to, atime, mtime);
}

/**
 * Fills a folder with a nested tree of at least `count` files: real ones with their paths, one folder of 200 (a browser hands
 * out at most 100 entries at a time), empty files, a few MB, and the same bytes under two names.
 * @param {string} folder @param {number} count
 */
export function makeTree(folder, count) {
  const seen = { files: 0, bytes: 0 };
  const take = (/** @type {string} */ from, /** @type {string} */ to) => {
    copy(from, path.join(folder, to));
    seen.files += 1;
    seen.bytes += statSync(from).size;
  };
  // Spread over the machine: every seventh file gives more kinds, depths and sizes than the first thousand.
  let turn = 0;
  const spread = findFiles(() => (turn += 1) % 7 === 0, count + 100);
  // A ZIP gives names that differ in case alone different ones, as some systems need; the tests of that are elsewhere.
  const spelled = new Map();
  const alone = (/** @type {string} */ file) => file.split('/').every((_, i, names) => {
    const name = names.slice(0, i + 1).join('/');
    if (!spelled.has(name.toLowerCase())) spelled.set(name.toLowerCase(), name);
    return spelled.get(name.toLowerCase()) === name;
  });
  for (const file of spread.filter(alone)) {
    if (seen.bytes + statSync(file).size <= TOTAL_BYTES_MAX) take(file, path.join('system', file));
  }
  const crowd = findFiles((file) => statSync(file).size < 20_000, 200);
  crowd.forEach((file, number) => take(file, `crowd/entry ${number + 1}${path.extname(file)}`));
  const some = crowd[0];
  take(some, 'twice/one name.bin');
  take(some, 'twice/another name.bin');
  for (const name of ['empty', 'deep/er/and/deep/er/still/empty.txt', 'crowd/empty.dat']) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), '');
    seen.files += 1;
  }
  // Larger than any chunk, and not compressible.
  const noise = Buffer.alloc(5_000_000);
  let state = 42;
  for (let i = 0; i < noise.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise[i] = state >>> 24;
  }
  writeFileSync(path.join(folder, 'noise.bin'), noise);
  seen.files += 1;
  assert.ok(seen.files >= count, `this machine has enough files: ${seen.files} of ${count}`);
  return seen.files;
}

/**
 * Every file below a folder by its path inside it, with `/` between names.
 * @param {string} folder @returns {Map<string, {bytes: Buffer, modifiedSeconds: number}>}
 */
export function readTree(folder) {
  const tree = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = path.join(entry.parentPath ?? entry.path, entry.name);
    const name = path.relative(folder, full).split(path.sep).join('/');
    tree.set(name, { bytes: readFileSync(full), modifiedSeconds: Math.floor(statSync(full).mtimeMs / 1000) });
  }
  return tree;
}

/** Two seconds of a falling tone: 16-bit mono PCM, which every browser plays. */
export function wav() {
  const rate = 22_050;
  const samples = rate * 2;
  const bytes = Buffer.alloc(44 + samples * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + samples * 2, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples * 2, 40);
  for (let i = 0; i < samples; i += 1) {
    const seconds = i / rate;
    bytes.writeInt16LE(Math.round(12_000 * Math.sin(2 * Math.PI * (440 - 80 * seconds) * seconds)), 44 + i * 2);
  }
  return bytes;
}
