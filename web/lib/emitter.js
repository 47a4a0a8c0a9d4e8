// Things that tell others what happened to them.

export class Emitter extends EventTarget {
  /** @param {string} type @param {any} [detail] */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Calls with the detail. @param {string} types one or more, by spaces @param {(detail: any) => void} act @param {AddEventListenerOptions} [options] */
  on(types, act, options) {
    for (const type of types.split(' ')) this.addEventListener(type, ({ detail }) => act(detail), options);
  }
}

/** What has these members and tells others. @template M @param {M} members @returns {Emitter & M} */
export function emitting(members) {
  return Object.defineProperties(new Emitter(), Object.getOwnPropertyDescriptors(members));
}
