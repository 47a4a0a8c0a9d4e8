// What was found in a long text: asked for piece by piece from the beginning on, kept in order, and walked through. Knows
// neither the server nor the page.

/** More than anybody steps through; the counter then says "10,000+". */
const HITS_MAX = 10_000;

/** @typedef {import('../api.js').Hit} Hit */

/** @typedef {ReturnType<typeof foundLines>} FoundLines */

/** @param {(line: number) => Promise<{hits: Hit[], next_line: number | null}>} search for `query` @param {() => void} changed */
export function foundLines(search, changed) {
  let turn = 0;
  let at = -1;
  let done = false;
  let problem = '';
  const found = {
    query: '',
    /** @type {Hit[]} */
    hits: [],
    /** Should the current hit be brought into view? */
    fresh: false,
    ask,
    step,
    between,
    words,
    get current() {
      return found.hits[at];
    },
  };

  /** Another question; the current hit will be the first from this line on. @param {string} query @param {number} from */
  async function ask(query, from) {
    found.query = query;
    turn += 1;
    const mine = turn;
    found.hits = [];
    go(-1);
    done = false;
    problem = '';
    let line = query === '' ? null : 0;
    while (line !== null && found.hits.length < HITS_MAX) {
      let answer;
      try {
        answer = await search(line);
      } catch (error) {
        answer = { hits: [], next_line: null, problem: error.message };
      }
      if (mine !== turn) return;
      problem = answer.problem ?? '';
      const last = found.hits.at(-1) ?? { line: -1, start: 0 };
      const after = answer.hits.filter((hit) => hit.line > last.line || (hit.line === last.line && hit.start > last.start));
      found.hits.push(...after);
      if (at < 0) go(found.hits.findIndex((hit) => hit.line >= from));
      // An answer that leads nowhere new would be asked for ever.
      const next = answer.next_line;
      line = next !== null && (next > line || after.length > 0) ? next : null;
      if (line !== null) changed();
    }
    done = line === null;
    if (at < 0) go(Math.min(0, found.hits.length - 1));
    changed();
  }

  /** @param {number} to */
  function go(to) {
    at = to;
    found.fresh = at >= 0;
  }

  /** Round and round. @param {number} by @returns {Hit | undefined} */
  function step(by) {
    const { length } = found.hits;
    if (length > 0) go((at + by + length) % length);
    return found.current;
  }

  /** Those in lines first..last. @param {number} first @param {number} last */
  function between(first, last) {
    return found.hits.filter(({ line }) => line >= first && line <= last);
  }

  /** "3 of 120", "3 of 10,000+", "nothing found". @param {(n: number) => string} say */
  function words(say) {
    if (!found.query) return '';
    if (problem) return problem;
    const { length } = found.hits;
    if (length === 0) return done ? 'nothing found' : 'looking';
    return `${say(at + 1)} of ${say(length)}${done ? '' : '+'}`;
  }

  return found;
}
