// How fast bytes leave and how long the rest will take: an average that halves its memory every two seconds, so that one
// slow file does not make the figures jump. Pure; the caller brings the time.

const HALF_LIFE_MS = 2000;

export class Rate {
  perSecond = 0;
  /** @type {{at: number, bytes: number} | null} */
  last = null;

  /** @param {number} atMs @param {number} bytes sent so far */
  sample(atMs, bytes) {
    if (this.last === null || bytes < this.last.bytes) {
      this.last = { at: atMs, bytes };
      return;
    }
    const ms = atMs - this.last.at;
    if (ms < 200) return;
    const now = ((bytes - this.last.bytes) / ms) * 1000;
    const weight = this.perSecond === 0 ? 1 : 1 - 0.5 ** (ms / HALF_LIFE_MS);
    this.perSecond += (now - this.perSecond) * weight;
    this.last = { at: atMs, bytes };
  }

  /** @param {number} bytes still to go; Infinity where nothing moves */
  secondsFor(bytes) {
    return this.perSecond > 1 ? bytes / this.perSecond : Infinity;
  }
}
