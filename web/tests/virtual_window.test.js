// The arithmetic behind a million rows: exact ends, nothing skipped, content that follows the wheel.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  LINEAR_END, SPACER_MAX, ScrollTracker, makeScale, reveal, tileGeometry, visibleRows, windowsFor,
} from '../lib/virtual_window.js';

const VIEWPORT = 600;
const MILLION = 1_000_000 * 32;

describe('the scale between spacer and rows', () => {
  it('is the identity while the rows fit', () => {
    const scale = makeScale(100_000, VIEWPORT);
    for (const v of [0, 1, 512.5, 99_400]) {
      assert.equal(scale.toScroll(v), v);
      assert.equal(scale.toVirtual(v), v);
    }
    assert.equal(scale.spacer, 100_000);
  });

  it('never makes a spacer that a browser would cut off', () => {
    for (const total of [0, 4_000_000, 4_000_001, MILLION, 1e12]) assert.ok(makeScale(total, VIEWPORT).spacer <= SPACER_MAX);
  });

  it('has slope 1 at both ends', () => {
    const scale = makeScale(MILLION, VIEWPORT);
    assert.equal(scale.toScroll(0), 0);
    assert.equal(scale.toScroll(scale.vMax), scale.sMax);
    assert.equal(scale.toScroll(LINEAR_END - 5), LINEAR_END - 5);
    assert.equal(scale.sMax - scale.toScroll(scale.vMax - 1234), 1234);
  });

  it('rises all the way and its inverse undoes it', () => {
    for (const total of [4_000_001, 4_200_000, 42_500_000, 88_500_000, 3.2e9]) {
      const scale = makeScale(total, VIEWPORT);
      let before = -1;
      for (let i = 0; i <= 1000; i += 1) {
        const v = (scale.vMax * i) / 1000;
        const s = scale.toScroll(v);
        assert.ok(s > before, `rises at ${v} of ${total}`);
        assert.ok(Math.abs(scale.toVirtual(s) - v) < 1e-3 * Math.max(1, total / 1e8), `undone at ${v} of ${total}`);
        before = s;
      }
    }
  });

  it('copes with fewer rows than fit', () => {
    const scale = makeScale(64, VIEWPORT);
    assert.equal(scale.vMax, 0);
    assert.equal(scale.sMax, 0);
    assert.equal(makeScale(0, 0).toScroll(0), 0);
  });
});

describe('following the scroll position', () => {
  it('moves content by just what the wheel moved, anywhere', () => {
    const tracker = new ScrollTracker(makeScale(MILLION, VIEWPORT));
    for (const start of [0, 50_000, 9_000_000, 31_000_000]) {
      tracker.jump(start);
      const before = tracker.virtual;
      tracker.scrolled(tracker.scroll + 720);
      assert.ok(Math.abs(tracker.virtual - before - 720) < 1e-6);
    }
  });

  it('takes a leap for the thumb and maps it', () => {
    const tracker = new ScrollTracker(makeScale(MILLION, VIEWPORT));
    tracker.scrolled(2_000_000);
    assert.ok(Math.abs(tracker.virtual - MILLION / 2) < MILLION / 1000);
    tracker.scrolled(tracker.scale.sMax);
    assert.equal(tracker.virtual, tracker.scale.vMax);
    tracker.scrolled(0);
    assert.equal(tracker.virtual, 0);
  });

  it('reaches the end by wheel alone although the spacer is shorter than the way', () => {
    const tracker = new ScrollTracker(makeScale(MILLION, VIEWPORT));
    tracker.jump(tracker.scale.vMax - 2_000_000);
    for (let steps = 0; steps < 5000 && tracker.virtual < tracker.scale.vMax; steps += 1) {
      tracker.scrolled(Math.min(tracker.scroll + 1000, tracker.scale.sMax));
      if (tracker.mustSettle()) tracker.jump(tracker.virtual);
    }
    assert.equal(tracker.virtual, tracker.scale.vMax);
    assert.ok(Math.abs(tracker.scroll - tracker.scale.sMax) < 1);
  });

  it('settles without moving what is seen', () => {
    const tracker = new ScrollTracker(makeScale(MILLION, VIEWPORT));
    tracker.jump(16_000_000);
    for (let i = 0; i < 50; i += 1) tracker.scrolled(tracker.scroll + 1000);
    const seen = tracker.virtual;
    assert.ok(tracker.drifted());
    tracker.jump(tracker.virtual);
    assert.ok(!tracker.drifted());
    assert.ok(Math.abs(tracker.virtual - seen) < 1e-6);
  });

  it('keeps the place when rows come, and when the browser rounds', () => {
    const tracker = new ScrollTracker(makeScale(MILLION, VIEWPORT));
    tracker.jump(20_000_000.25);
    tracker.wrote(Math.round(tracker.scroll));
    assert.ok(Math.abs(tracker.virtual - 20_000_000.25) < 1e-6);
    tracker.rescale(makeScale(MILLION + 3200, VIEWPORT));
    assert.ok(Math.abs(tracker.virtual - 20_000_000.25) < 1e-6);
    tracker.rescale(makeScale(3200, VIEWPORT));
    assert.equal(tracker.virtual, 2600);
  });
});

describe('rows, windows and tiles', () => {
  it('draws what is seen and a little more, never outside', () => {
    assert.deepEqual(visibleRows({ offset: 0, viewport: 100, pitch: 10, rows: 1000, overscan: 2 }), { first: 0, last: 11 });
    assert.deepEqual(visibleRows({ offset: 9900, viewport: 100, pitch: 10, rows: 1000, overscan: 2 }), { first: 988, last: 999 });
    const none = visibleRows({ offset: 0, viewport: 100, pitch: 10, rows: 0 });
    assert.ok(none.last < none.first);
  });

  it('covers a stretch with aligned windows', () => {
    assert.deepEqual(windowsFor(0, 199, 200), [0]);
    assert.deepEqual(windowsFor(199, 200, 200), [0, 1]);
    assert.deepEqual(windowsFor(-5, -1, 200), []);
  });

  it('lays out tiles as many as fit', () => {
    assert.deepEqual([344, 729, 977, 657].map((width) => tileGeometry({ width, size: 'm', text: 34 }).columns), [2, 4, 6, 4]);
    assert.equal(tileGeometry({ width: 40, size: 'xl', text: 34 }).columns, 1);
    const { columns, cell } = tileGeometry({ width: 977, size: 's', text: 34 });
    assert.ok(Math.abs(columns * cell + (columns - 1) * 8 - 977) < 1e-9);
  });

  it('reveals a row by the least movement', () => {
    const view = { offset: 100, viewport: 100, height: 20 };
    assert.equal(reveal({ ...view, top: 120 }), 100);
    assert.equal(reveal({ ...view, top: 60 }), 60);
    assert.equal(reveal({ ...view, top: 190 }), 110);
    assert.equal(reveal({ ...view, top: 190, padEnd: 30 }), 140);
  });
});
