// A small studio's vault for looking at: pictures, papers and a sound in a few places, with a name or two that are hard to show.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { findFiles, wav } from './corpus.js';
import { drawPictures } from './drawings.js';
import { run, temporaryFolder } from './server.js';

const PAPERS = 30;
const PICTURES = 24;

/** @param {import('playwright-core').Browser} browser @returns {Promise<{folder: string, state: string, source: string}>} */
export async function makeStudio(browser) {
  const source = temporaryFolder('pictures');
  let taken = Date.UTC(2024, 3, 2, 7, 40) / 1000;
  for (const [name, bytes] of await drawPictures(browser, PICTURES)) {
    writeFileSync(path.join(source, name), bytes);
    taken += 97_531;
    utimesSync(path.join(source, name), taken, taken);
  }
  const papers = path.join(source, 'Papers');
  mkdirSync(papers);
  for (const file of findFiles((name) => /\.(txt|md|html|pm|py|copyright)$/.test(name), PAPERS)) copyFileSync(file, path.join(papers, path.basename(file)));
  const names = path.join(source, 'Names');
  mkdirSync(names);
  for (const name of ['<b onclick=x>bold & "quoted".txt', `${'long '.repeat(24)}name.txt`, 'مرحبا بالعالم.txt', '東京の地図.txt', 'evil\u202Etxt.exe']) writeFileSync(path.join(names, name), `${name}\n`);
  writeFileSync(path.join(source, 'tone.wav'), wav());
  const folder = temporaryFolder('served');
  const state = temporaryFolder('state');
  const vault = path.join(folder, 'studio.vault');
  const add = (/** @type {string} */ to) => ['add', '--vault', vault, '--to', to, `${source}/.`];
  for (const words of [['init', vault], add('Field notes/Spring'), add('Field notes/Autumn'), add('Studio/Posters'), add('Travel/Coast')]) {
    const done = run(words, { folder, state });
    assert.equal(done.status, 0, done.stdout + done.stderr);
  }
  return { folder, state, source };
}
