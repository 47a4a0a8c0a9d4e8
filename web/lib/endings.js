// Whether a file of a known kind ends before its own account of itself does. Browsers show a picture or play a sound as far
// as it goes and say nothing; a person should be told. Reads a few bytes from both ends. Pure but for the reader it is given.

const TAIL_BYTES = 65_536;
const BOXES_MAX = 12;

/** @typedef {(first: number, last: number) => Promise<Uint8Array>} Read both ends included */
/** @typedef {{size: number, head: Uint8Array, view: DataView, read: Read, tail: () => Promise<string>}} File head: the first 64 bytes; tail: the end as Latin-1 */

/** @param {RegExp} mark @returns {(file: File) => Promise<boolean>} */
const lacks = (mark) => async ({ tail }) => !mark.test(await tail());

/** RIFF says how long it is; streams that never knew write 0 or all ones. @param {File} file */
const riffEndsEarly = ({ size, view }) => size > 8 && ![0, 0xffffffff].includes(view.getUint32(4, true)) && view.getUint32(4, true) + 8 > size + 1;

/** Whether the last page says that it is that. @param {File} file */
async function oggEndsEarly({ tail }) {
  const text = await tail();
  const last = text.lastIndexOf('OggS');
  return last < 0 || (text.charCodeAt(last + 5) & 4) === 0;
}

/** @param {File} file */
async function stlEndsEarly({ size, head, read, tail }) {
  if (/^\s*solid\b/i.test(latin1(head))) return !/endsolid/i.test(await tail());
  return size >= 84 && 84 + viewOf(await read(80, 83)).getUint32(0, true) * 50 > size;
}

/** Goes by where the one segment of a Matroska file ends by its own account, if that is said. @param {File} file */
function matroskaEndsEarly({ head, size }) {
  let at = 4;
  const number = () => {
    const first = head[at] ?? 0;
    const length = Math.clz32(first) - 23;
    if (length > 8 || at + length > head.length) return NaN;
    const ones = 2 ** (7 * length) - 1;
    let value = first & (0xff >> length);
    for (let i = 1; i < length; i += 1) value = value * 256 + head[at + i];
    at += length;
    return value === ones ? NaN : value;
  };
  const inside = number();
  at += inside;
  if (head[0] !== 0x1a || head[at] !== 0x18 || head[at + 1] !== 0x53) return false;
  at += 4;
  const length = number();
  return at + length > size;
}

/** @param {File} file */
async function boxesEndEarly({ size, read }) {
  let at = 0;
  for (let boxes = 0; boxes < BOXES_MAX && at + 8 <= size; boxes += 1) {
    const box = await read(at, Math.min(size, at + 16) - 1);
    const view = viewOf(box);
    const short = view.getUint32(0);
    const length = short === 1 && box.length === 16 ? Number(view.getBigUint64(8)) : short;
    if (length < 8) return false;
    at += length;
  }
  return at > size;
}

/** @type {Record<string, (file: File) => boolean | Promise<boolean>>} by media type */
const CHECKS = {
  'image/png': lacks(/IEND/),
  'image/jpeg': lacks(/\u00ff\u00d9/),
  'image/gif': lacks(/;[\0\s]{0,63}$/),
  'application/pdf': lacks(/%%EOF/),
  'image/webp': riffEndsEarly, 'audio/wav': riffEndsEarly, 'video/x-msvideo': riffEndsEarly,
  'model/gltf-binary': ({ size, view }) => size > 12 && view.getUint32(8, true) > size,
  'model/stl': stlEndsEarly,
  'audio/ogg': oggEndsEarly, 'video/ogg': oggEndsEarly,
  'video/webm': matroskaEndsEarly, 'video/x-matroska': matroskaEndsEarly, 'audio/webm': matroskaEndsEarly,
  'video/mp4': boxesEndEarly, 'video/quicktime': boxesEndEarly, 'audio/mp4': boxesEndEarly,
};

/** @param {Uint8Array} bytes */
/** @param {Uint8Array} bytes */
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const latin1 = (bytes) => new TextDecoder('latin1').decode(bytes);

/**
 * @param {string} media @param {number} size of the file @param {Read} read
 * @returns {Promise<boolean>} false also where that cannot be told
 */
export async function endsEarly(media, size, read) {
  const check = CHECKS[media];
  if (!check) return false;
  const head = await read(0, Math.min(size, 64) - 1);
  const tail = async () => latin1(await read(Math.max(0, size - TAIL_BYTES), size - 1));
  return check({ size, head, view: viewOf(head), read, tail });
}
