// What was found in a long text: asked for piece by piece from the beginning on, kept in order, and walked through. Knows
// neither the server nor the page.

/** More than anybody steps through; the counter then says "10,000+". */
const HITS_MAX = 10_000;

/** @typedef {import('../api.js').Hit} Hit */

export class FoundLines {
  /** @param {(line: number) => Promise<{hits: Hit[], next_line: number | null}>} search @param {() => void} changed */
  constructor(search, changed) {
    this.search = search;
    this.changed = changed;
    this.turn = 0;
    /** @type {Hit[]} */
    this.hits = [];
    this.at = -1;
    this.asked = false;
    this.done = true;
    this.problem = '';
    /** Should the current hit be brought into view? */
    this.fresh = false;
  }

  get current() {
    return this.hits[this.at];
  }

  /** Another question; the current hit will be the first from this line on. @param {string} query @param {number} from */
  async ask(query, from) {
    this.turn += 1;
    const mine = this.turn;
    Object.assign(this, { hits: [], at: -1, asked: query !== '', done: query === '', problem: '', fresh: false });
    if (query === '') {
      this.changed();
      return;
    }
    let line = 0;
    while (line !== null && this.hits.length < HITS_MAX) {
      let answer;
      try {
        answer = await this.search(line);
      } catch (error) {
        if (mine !== this.turn) return;
        this.problem = error.message;
        break;
      }
      if (mine !== this.turn) return;
      const last = this.hits.at(-1);
      const after = answer.hits.filter((hit) => !last || hit.line > last.line || (hit.line === last.line && hit.start > last.start));
      this.hits.push(...after);
      if (this.at < 0) {
        this.at = this.hits.findIndex((hit) => hit.line >= from);
        this.fresh = this.at >= 0;
      }
      // An answer that leads nowhere new would be asked for ever.
      const next = answer.next_line;
      line = next !== null && (next > line || after.length > 0) ? next : null;
      if (line !== null) this.changed();
    }
    this.done = line === null;
    if (this.at < 0 && this.hits.length > 0) {
      this.at = 0;
      this.fresh = true;
    }
    this.changed();
  }

  /** Round and round. @param {number} by @returns {Hit | undefined} */
  step(by) {
    const { length } = this.hits;
    if (length > 0) this.at = (this.at + by + length) % length;
    return this.current;
  }

  /** Those in lines first..last. @param {number} first @param {number} last */
  between(first, last) {
    let lo = 0;
    let hi = this.hits.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.hits[mid].line < first) lo = mid + 1;
      else hi = mid;
    }
    const found = [];
    for (let i = lo; i < this.hits.length && this.hits[i].line <= last; i += 1) found.push(this.hits[i]);
    return found;
  }

  /** "3 of 120", "3 of 10,000+", "nothing found". @param {(n: number) => string} say */
  words(say) {
    if (!this.asked) return '';
    if (this.problem) return this.problem;
    const { length } = this.hits;
    if (length === 0) return this.done ? 'nothing found' : 'looking';
    return `${say(this.at + 1)} of ${say(length)}${this.done ? '' : '+'}`;
  }
}
