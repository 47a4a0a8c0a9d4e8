// What was found in a long text: asked for piece by piece from the beginning on, kept in order, and walked through. Knows
// neither the server nor the page.

/** More than anybody steps through; the counter then says "10,000+". */
const HITS_MAX = 10_000;

/** @typedef {import('../api.js').Hit} Hit */

export class FoundLines {
  query = '';
  turn = 0;

  /** @param {(line: number) => Promise<{hits: Hit[], next_line: number | null}>} search for `query` @param {() => void} changed */
  constructor(search, changed) {
    this.search = search;
    this.changed = changed;
    this.reset();
  }

  reset() {
    /** @type {Hit[]} */
    this.hits = [];
    this.at = -1;
    this.done = false;
    this.problem = '';
    /** Should the current hit be brought into view? */
    this.fresh = false;
  }

  get current() {
    return this.hits[this.at];
  }

  /** Another question; the current hit will be the first from this line on. @param {string} query @param {number} from */
  async ask(query, from) {
    this.query = query;
    this.turn += 1;
    const mine = this.turn;
    this.reset();
    let line = query === '' ? null : 0;
    while (line !== null && this.hits.length < HITS_MAX) {
      let answer;
      try {
        answer = await this.search(line);
      } catch (error) {
        answer = { hits: [], next_line: null, problem: error.message };
      }
      if (mine !== this.turn) return;
      this.problem = answer.problem ?? '';
      const last = this.hits.at(-1) ?? { line: -1, start: 0 };
      const after = answer.hits.filter((hit) => hit.line > last.line || (hit.line === last.line && hit.start > last.start));
      this.hits.push(...after);
      if (this.at < 0) this.go(this.hits.findIndex((hit) => hit.line >= from));
      // An answer that leads nowhere new would be asked for ever.
      const next = answer.next_line;
      line = next !== null && (next > line || after.length > 0) ? next : null;
      if (line !== null) this.changed();
    }
    this.done = line === null;
    if (this.at < 0) this.go(Math.min(0, this.hits.length - 1));
    this.changed();
  }

  /** @param {number} at */
  go(at) {
    this.at = at;
    this.fresh = at >= 0;
  }

  /** Round and round. @param {number} by @returns {Hit | undefined} */
  step(by) {
    const { length } = this.hits;
    if (length > 0) this.go((this.at + by + length) % length);
    return this.current;
  }

  /** Those in lines first..last. @param {number} first @param {number} last */
  between(first, last) {
    return this.hits.filter(({ line }) => line >= first && line <= last);
  }

  /** "3 of 120", "3 of 10,000+", "nothing found". @param {(n: number) => string} say */
  words(say) {
    if (!this.query) return '';
    if (this.problem) return this.problem;
    const { length } = this.hits;
    if (length === 0) return this.done ? 'nothing found' : 'looking';
    return `${say(this.at + 1)} of ${say(length)}${this.done ? '' : '+'}`;
  }
}
