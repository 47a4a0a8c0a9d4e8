// Where the words of a search stand in a name. Pure. Only for marking: what matches is the server's business.

/** Without case and accents, and for each unit of that the place it came from. @param {string} text */
function folded(text) {
  let plain = '';
  /** @type {number[]} */
  const from = [];
  let at = 0;
  for (const char of text) {
    const base = char.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
    for (let i = 0; i < base.length; i += 1) from.push(at);
    plain += base;
    at += char.length;
  }
  from.push(at);
  return { plain, from };
}

/** @param {string} text */
export function fold(text) {
  return folded(text).plain;
}

/**
 * Spans of the text in which a word stands, ascending and not overlapping.
 * @param {string} text @param {string[]} words folded, none empty
 * @returns {[number, number][]}
 */
export function findHits(text, words) {
  const { plain, from } = folded(text);
  /** @type {[number, number][]} */
  const found = [];
  for (const word of words) {
    for (let at = plain.indexOf(word); at >= 0; at = plain.indexOf(word, at + word.length)) {
      let end = at + word.length;
      // An accent written as a character of its own belongs to the letter before it.
      while (end < from.length - 1 && from[end] === from[at]) end += 1;
      found.push([from[at], from[end]]);
    }
  }
  found.sort((a, b) => a[0] - b[0]);
  /** @type {[number, number][]} */
  const out = [];
  for (const [start, end] of found) {
    const last = out.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else out.push([start, end]);
  }
  return out;
}

/** The words a query looks for in names; null where it also filters by something else. @param {string} q @returns {{words: string[], filters: boolean}} */
export function wordsOf(q) {
  const words = [];
  let filters = false;
  for (const [, minus, key, quoted, bare] of q.matchAll(/(-?)(?:(\p{L}[\p{L}\d_]*):)?(?:"([^"]*)"?|(\S+))?/gu)) {
    const text = fold(quoted ?? bare ?? '').trim();
    if (key || minus) filters = true;
    else if (text) words.push(text);
  }
  return { words, filters };
}
