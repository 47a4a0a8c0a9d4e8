// What is selected, as a rule: everything, or intervals of the listing, each with exceptions by id. Selecting 100,000
// assets therefore costs nothing and loads nothing; the count is arithmetic.

/**
 * @typedef {{index: number, id: number}} Spot an asset and where it stands in the listing
 * @typedef {{from: Spot, to: Spot}} Interval both ends included
 */

export class Selection {
  all = false;
  /** @type {Interval[]} ascending, disjoint */
  intervals = [];
  /** @type {Map<number, {index: number, on: boolean}>} by id; what differs from the rule above */
  exceptions = new Map();

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
    if (spot) this.exceptions.set(spot.id, { index: spot.index, on: true });
  }

  /** @param {Spot} spot */
  toggle(spot) {
    if (!this.exceptions.delete(spot.id)) this.exceptions.set(spot.id, { index: spot.index, on: !this.covers(spot.index) });
  }

  /** From one to the other, instead of or in addition to what is selected. @param {Spot} a @param {Spot} b @param {boolean} [add] */
  range(a, b, add = false) {
    if (!add) this.clear();
    const [from, to] = a.index <= b.index ? [a, b] : [b, a];
    for (const [id, { index }] of this.exceptions) if (within({ from, to }, index)) this.exceptions.delete(id);
    if (!this.all) this.intervals = merged([...this.intervals, { from, to }]);
  }

  /** @param {number} index */
  covers(index) {
    return this.all || this.intervals.some((interval) => within(interval, index));
  }

  /** @param {Spot} spot */
  has(spot) {
    return this.exceptions.get(spot.id)?.on ?? this.covers(spot.index);
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
    /** @param {boolean} wanted */
    const ids = (wanted) => [...this.exceptions].filter(([, { on }]) => on === wanted).map(([id]) => id);
    return { all: this.all, ranges: this.intervals.map(({ from, to }) => [from.id, to.id]), with: ids(true), without: ids(false) };
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
    const before = this.intervals.length;
    /**  */
    const now = ({ id }) => ({ id, index: at.get(id) ?? NaN });
    this.intervals = this.intervals.map(({ from, to }) => ({ from: now(from), to: now(to) })).filter(({ from, to }) => from.index <= to.index);
    return this.intervals.length === before;
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

/** @param {Interval} interval @param {number} index */
function within({ from, to }, index) {
  return index >= from.index && index <= to.index;
}

/** @param {Interval[]} intervals */
function merged(intervals) {
  /** @type {Interval[]} */
  const out = [];
  for (const { from, to } of intervals.toSorted((a, b) => a.from.index - b.from.index)) {
    const last = out.at(-1);
    if (!last || from.index > last.to.index + 1) out.push({ from, to });
    else if (to.index > last.to.index) last.to = to;
  }
  return out;
}
