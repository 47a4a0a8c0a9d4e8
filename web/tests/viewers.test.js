// The pure halves of the viewers: bytes in hex, offsets as people write them, columns of a table, facts in words, which ways
// there are to look at an asset, and whether a file ends early.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { factLine, factRows } from '../lib/facts.js';
import { foundLines } from '../lib/found_lines.js';
import { asciiText, hexText, offsetDigits, offsetText, readOffset } from '../lib/hex.js';
import { modesOf } from '../lib/modes.js';
import { columnLetters, columnsOf } from '../lib/table.js';

describe('bytes in hex', () => {
  it('show sixteen a row, the halves set apart, short rows short', () => {
    assert.equal(hexText(Uint8Array.from({ length: 16 }, (_, i) => i)), '00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f');
    assert.equal(hexText(new Uint8Array([255])), 'ff');
    assert.equal(hexText(new Uint8Array(0)), '');
  });

  it('show printable ASCII and nothing that could act', () => {
    assert.equal(asciiText(new Uint8Array([0x3c, 0x62, 0x3e, 0x00, 0x7f, 0xe2, 0x80, 0xae, 0x20])), '<b>····· ');
  });

  it('have offsets as wide as the file needs', () => {
    assert.equal(offsetDigits(1), 8);
    assert.equal(offsetDigits(0x1_0000_0000), 8);
    assert.equal(offsetDigits(0x1_0000_0001), 9);
    assert.equal(offsetText(0xabc, 8), '00000abc');
  });

  it('are gone to by decimal, hex and percent, within the file only', () => {
    assert.equal(readOffset('4,096', 10_000), 4096);
    assert.equal(readOffset(' 0x10 ', 100), 16);
    assert.equal(readOffset('1fh', 100), 31);
    assert.equal(readOffset('100%', 101), 100);
    assert.equal(readOffset('0', 1), 0);
    for (const wrong of ['', 'ten', '-1', '100', '0x64', '101%', '1e3']) assert.equal(readOffset(wrong, 100), null, wrong);
  });
});

describe('a table', () => {
  it('has columns as wide as what they hold, within bounds, numbers told apart', () => {
    const columns = columnsOf(['name', 'n'], [['x'.repeat(99), '1,204'], ['b', ' -3.5e2 '], ['c', '']], 3);
    assert.deepEqual(columns, [{ width: 40, numeric: false }, { width: 8, numeric: true }, { width: 4, numeric: false }]);
  });

  it('names columns without a name as spreadsheets do', () => {
    assert.deepEqual([0, 25, 26, 701, 702].map(columnLetters), ['A', 'Z', 'AA', 'ZZ', 'AAA']);
  });
});

describe('facts', () => {
  it('are put into words, unknown ones shown as they are', () => {
    const rows = new Map(factRows({ width: 6000, height: 4000, exposure: 0.004, aperture: 8, iso: 200, focal_length: 23, duration: 187.2, sample_rate: 44_100, bitrate: 256_000, colour_space: 'P3', channels: 2 }));
    assert.equal(rows.get('Dimensions'), '6,000 × 4,000');
    assert.equal(rows.get('Exposure'), '1/250 s');
    assert.equal(rows.get('Aperture'), 'f/8');
    assert.equal(rows.get('Focal length'), '23 mm');
    assert.equal(rows.get('Duration'), '3:07');
    assert.equal(rows.get('Sample rate'), '44.1 kHz');
    assert.equal(rows.get('Bit rate'), '256 kbit/s');
    assert.equal(rows.get('Colour space'), 'P3');
    assert.equal(rows.get('Channels'), '2 (stereo)');
  });

  it('that came as words stay as they came, and a lone width is not lost', () => {
    assert.deepEqual(factRows({ exposure: '1/60 s', width: 5 }), [['Exposure', '1/60 s'], ['Width', '5']]);
  });

  it('fit a line', () => {
    assert.equal(factLine({ width: 6000, height: 4000, camera: 'X-T4', aperture: 8, iso: 200 }), '6,000 × 4,000 · X-T4 · f/8 · ISO 200');
    assert.equal(factLine({ pages: 1 }), '1 page');
    assert.equal(factLine({}), '');
  });
});

describe('ways to look at an asset', () => {
  const modes = (/** @type {string} */ media_type, type = 'binary', size_original = 10) => modesOf({ type, media_type, size_original });

  it('go by the content, and end in the bytes', () => {
    assert.deepEqual(modes('image/svg+xml', 'image'), ['picture', 'text', 'bytes']);
    assert.deepEqual(modes('text/markdown', 'text'), ['rendered', 'beside', 'text', 'bytes']);
    assert.deepEqual(modes('model/obj', '3d'), ['model', 'text', 'bytes']);
    assert.deepEqual(modes('application/java-archive'), ['members', 'bytes']);
    assert.deepEqual(modes('application/x-elf'), ['bytes']);
    assert.deepEqual(modes('text/plain', 'image'), ['text', 'bytes'], 'a text called x.png');
    assert.deepEqual(modes('application/octet-stream', 'image'), ['picture', 'bytes'], 'tried, so that the reason can be said');
    assert.deepEqual(modes('image/png', 'image', 0), ['empty']);
  });
});

describe('looking for words in a long text', () => {
  const hit = (/** @type {number} */ line, start = 0) => ({ line, start, end: start + 1 });

  it('reads on until the end, begins at the line looked at, and goes round', async () => {
    const answers = new Map([[0, { hits: [hit(1), hit(5)], next_line: 6 }], [6, { hits: [hit(8), hit(9, 3)], next_line: null }]]);
    const found = foundLines(async (line) => /** @type {any} */ (answers.get(line)), () => {});
    await found.ask('x', 6);
    assert.deepEqual(found.hits.map(({ line }) => line), [1, 5, 8, 9]);
    assert.equal(found.current?.line, 8);
    assert.equal(found.words(String), '3 of 4');
    assert.equal(found.step(1)?.line, 9);
    assert.equal(found.step(1)?.line, 1);
    assert.equal(found.step(-1)?.line, 9);
    assert.deepEqual(found.between(5, 8).map(({ line }) => line), [5, 8]);
  });

  it('drops the answer to an older question', async () => {
    /** @type {((answer: any) => void)[]} */
    const waiting = [];
    const found = foundLines(() => new Promise((resolve) => waiting.push(resolve)), () => {});
    const first = found.ask('a', 0);
    const second = found.ask('ab', 0);
    waiting[1]({ hits: [hit(2)], next_line: null });
    waiting[0]({ hits: [hit(1)], next_line: null });
    await Promise.all([first, second]);
    assert.deepEqual(found.hits.map(({ line }) => line), [2]);
  });

  it('ends where an answer leads nowhere, and says what went wrong', async () => {
    const stuck = foundLines(async (line) => ({ hits: [], next_line: line }), () => {});
    await stuck.ask('x', 0);
    assert.equal(stuck.words(String), 'nothing found');
    const failing = foundLines(async () => { throw new Error('The server does not answer.'); }, () => {});
    await failing.ask('x', 0);
    assert.equal(failing.words(String), 'The server does not answer.');
  });
});
