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

  /**
   * What has to be read to turn the rule into ids.
   * @param {number} total
   * @returns {{ranges: [number, number][], without: Set<number>, ids: number[]}}
   */
  plan(total) {
    /** @type {[number, number][]} */
    const ranges = this.all ? (total > 0 ? [[0, total - 1]] : []) : this.intervals.map(({ from, to }) => [from.index, to.index]);
    const without = new Set();
    const ids = [];
    for (const [id, { on }] of this.exceptions) {
      if (on) ids.push(id);
      else without.add(id);
    }
    return { ranges, without, ids };
  }

  /**
   * The listing changed. `locate` says where an asset stands now, or null; an interval that lost an end is dropped,
   * because a wrong selection is worse than a smaller one. Returns false if any was.
   * @param {(spot: Spot) => Promise<number | null>} locate
   */
  async follow(locate) {
    /** @type {Interval[]} */
    const kept = [];
    let whole = true;
    for (const interval of this.intervals) {
      const from = await locate(interval.from);
      const to = await locate(interval.to);
      if (from === null || to === null || to < from) whole = false;
      else kept.push({ from: { index: from, id: interval.from.id }, to: { index: to, id: interval.to.id } });
    }
    this.intervals = kept;
    return whole;
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
