// Pictures of tiles: at most three on their way, what is looked at first, and none for a tile that has left the screen.

const AT_ONCE = 3;

export class Thumbs {
  constructor() {
    /** @type {Map<HTMLImageElement, string>} insertion order is the order of asking */
    this.waiting = new Map();
    /** @type {Set<HTMLImageElement>} */
    this.running = new Set();
    /** Addresses that were no picture after all. @type {Set<string>} */
    this.broken = new Set();
    this.held = false;
  }

  /** @param {HTMLImageElement} image @param {string} address */
  request(image, address) {
    if (image.dataset.address === address) return;
    this.cancel(image);
    image.dataset.address = address;
    if (this.broken.has(address)) return;
    this.waiting.set(image, address);
    this.advance();
  }

  /** @param {HTMLImageElement} image */
  cancel(image) {
    this.waiting.delete(image);
    if (this.running.delete(image) || image.hasAttribute('src')) image.removeAttribute('src');
    image.classList.remove('ready');
    delete image.dataset.address;
    this.advance();
  }

  /** Nothing new begins while the list flies past. @param {boolean} held */
  hold(held) {
    this.held = held;
    if (!held) this.advance();
  }

  advance() {
    if (this.held) return;
    for (const [image, address] of this.waiting) {
      if (this.running.size >= AT_ONCE) return;
      this.waiting.delete(image);
      this.running.add(image);
      const done = (/** @type {boolean} */ ok) => {
        if (image.dataset.address !== address) return;
        image.classList.toggle('ready', ok);
        if (!ok) this.broken.add(address);
        if (this.running.delete(image)) this.advance();
      };
      image.onload = () => done(true);
      image.onerror = () => done(false);
      image.src = address;
    }
  }
}
