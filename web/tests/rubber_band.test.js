// Which cells a rubber band touches, by arithmetic alone.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bandCells } from '../components/rubber_band.js';

const grid = { pitch: 170, columns: 4, width: 632, gap: 8 };

describe('a rubber band', () => {
  it('takes what it touches, whichever way it was drawn', () => {
    const cells = { firstRow: 0, lastRow: 1, firstColumn: 1, lastColumn: 2 };
    assert.deepEqual(bandCells({ x0: 170, y0: 100, x1: 400, y1: 300 }, grid), cells);
    assert.deepEqual(bandCells({ x0: 400, y0: 300, x1: 170, y1: 100 }, grid), cells);
  });

  it('takes nothing from the gaps between', () => {
    const { firstColumn, lastColumn } = bandCells({ x0: 153, y0: 0, x1: 159, y1: 100 }, grid);
    assert.ok(lastColumn < firstColumn, 'the gap after the first cell belongs to none');
    assert.equal(bandCells({ x0: 0, y0: 163, x1: 10, y1: 169 }, grid).firstRow, 1);
  });

  it('takes whole rows of a list', () => {
    assert.deepEqual(bandCells({ x0: 300, y0: 10, x1: 310, y1: 95 }, { pitch: 32, columns: 1, width: 700, gap: 0 }), { firstRow: 0, lastRow: 2, firstColumn: 0, lastColumn: 0 });
  });
});
