// What is selected, as a rule: everything, or intervals of the listing, each with exceptions by id. Selecting 100,000
// assets therefore costs nothing and loads nothing; the count is arithmetic.

/**
 * @typedef {{index: number, id: number}} Spot an asset and where it stands in the listing
 * @typedef {{from: Spot, to: Spot}} Interval both ends included
 */

export class Selection {
  constructor() {
    this.all = false;
    /** @type {Interval[]} ascending, disjoint */
    this.intervals = [];
    /** @type {Map<number, {index: number, on: boolean}>} by id; what differs from the rule above */
    this.exceptions = new Map();
  }

  clear() {
    this.all = false;
    this.intervals = [];
    this.exceptions.clear();
  }

  selectAll() {
    this.clear();
    this.all = true;
  }

  /** Just this one. Kept by id, so it survives whatever is sealed before it. @param {Spot} spot */
  only(spot) {
    this.clear();
    this.exceptions.set(spot.id, { index: spot.index, on: true });
  }

  /** @param {Spot} spot */
  toggle(spot) {
    const exception = this.exceptions.get(spot.id);
    if (exception) this.exceptions.delete(spot.id);
    else this.exceptions.set(spot.id, { index: spot.index, on: !this.covers(spot.index) });
  }

  /** From one to the other, instead of or in addition to what is selected. @param {Spot} a @param {Spot} b @param {boolean} [add] */
  range(a, b, add = false) {
    if (!add) this.clear();
    const from = a.index <= b.index ? a : b;
    const to = a.index <= b.index ? b : a;
    for (const [id, exception] of this.exceptions) {
      const inside = exception.index >= from.index && exception.index <= to.index;
      if (inside) this.exceptions.delete(id);
    }
    if (this.all) return;
    this.intervals = merged([...this.intervals, { from, to }]);
  }

  /** @param {number} index */
  covers(index) {
    if (this.all) return true;
    return this.intervals.some(({ from, to }) => index >= from.index && index <= to.index);
  }

  /** @param {Spot} spot */
  has(spot) {
    const exception = this.exceptions.get(spot.id);
    return exception ? exception.on : this.covers(spot.index);
  }

  /** @param {number} total assets in the listing */
  count(total) {
    let n = this.all ? total : 0;
    for (const { from, to } of this.intervals) n += Math.max(0, Math.min(to.index, total - 1) - from.index + 1);
    for (const { on } of this.exceptions.values()) n += on ? 1 : -1;
    return Math.max(0, n);
  }

  get empty() {
    return !this.all && this.intervals.length === 0 && ![...this.exceptions.values()].some((e) => e.on);
  }

  /** Everything and nothing left out. */
  get whole() {
    return this.all && this.exceptions.size === 0;
  }

  /** As the server takes it: ends of intervals and exceptions by id. */
  rule() {
    const { all, intervals } = this;
    /** @type {number[]} */
    const some = [];
    const without = [];
    for (const [id, { on }] of this.exceptions) (on ? some : without).push(id);
    return { all, ranges: intervals.map(({ from, to }) => /** @type {[number, number]} */ ([from.id, to.id])), with: some, without };
  }

  /** The assets whose places matter when the listing changes. */
  ends() {
    return this.intervals.flatMap(({ from, to }) => [from.id, to.id]);
  }

  /**
   * The listing changed. An interval that lost an end is dropped, because a wrong selection is worse than a smaller one.
   * Returns false if any was.
   * @param {Map<number, number | null>} at where assets stand now
   */
  follow(at) {
    /** @type {Interval[]} */
    const kept = [];
    for (const { from, to } of this.intervals) {
      const first = at.get(from.id) ?? null;
      const last = at.get(to.id) ?? null;
      if (first !== null && last !== null && first <= last) kept.push({ from: { index: first, id: from.id }, to: { index: last, id: to.id } });
    }
    const whole = kept.length === this.intervals.length;
    this.intervals = kept;
    return whole;
  }

  /** What is selected now, to be put back by `restore`. */
  copy() {
    return { all: this.all, intervals: [...this.intervals], exceptions: new Map(this.exceptions) };
  }

  /** @param {ReturnType<Selection['copy']>} copy */
  restore({ all, intervals, exceptions }) {
    Object.assign(this, { all, intervals: [...intervals], exceptions: new Map(exceptions) });
  }
}

/** @param {Interval[]} intervals */
function merged(intervals) {
  intervals.sort((a, b) => a.from.index - b.from.index);
  /** @type {Interval[]} */
  const out = [];
  for (const next of intervals) {
    const last = out.at(-1);
    if (last && next.from.index <= last.to.index + 1) {
      if (next.to.index > last.to.index) last.to = next.to;
    } else {
      out.push({ from: next.from, to: next.to });
    }
  }
  return out;
}
