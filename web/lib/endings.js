// Whether a file of a known kind ends before its own account of itself does. Browsers show a picture or play a sound as far
// as it goes and say nothing; a person should be told. Reads a few bytes from both ends. Pure but for the reader it is given.

const TAIL_BYTES = 65_536;
const BOXES_MAX = 12;

/**
 * @param {string} media @param {number} size of the file @param {(first: number, last: number) => Promise<Uint8Array>} read both ends included
 * @returns {Promise<boolean>} false also where that cannot be told
 */
export async function endsEarly(media, size, read) {
  const head = await read(0, Math.min(size, 64) - 1);
  const tail = async () => (size <= 64 ? head : read(Math.max(0, size - TAIL_BYTES), size - 1));
  const words = (bytes) => new TextDecoder('latin1').decode(bytes);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  switch (media) {
    case 'image/png': return !words(await tail()).includes('IEND');
    case 'image/jpeg': return !words(await tail()).includes('\u00ff\u00d9');
    case 'image/gif': return !/;[\0\s]*$/.test(words((await tail()).subarray(-64)));
    case 'application/pdf': return !words(await tail()).includes('%%EOF');
    case 'image/webp':
    case 'audio/wav':
    case 'video/x-msvideo':
      // RIFF says how long it is; streams that never knew write 0 or all ones.
      return size > 8 && ![0, 0xffffffff].includes(view.getUint32(4, true)) && view.getUint32(4, true) + 8 > size + 1;
    case 'model/gltf-binary': return size > 12 && view.getUint32(8, true) > size;
    case 'model/stl':
      if (/^\s*solid\b/i.test(words(head))) return !/endsolid/i.test(words(await tail()));
      return size >= 84 && 84 + new DataView((await read(80, 83)).buffer).getUint32(0, true) * 50 > size;
    case 'audio/ogg':
    case 'video/ogg': {
      const text = words(await tail());
      const last = text.lastIndexOf('OggS');
      return last < 0 || (text.charCodeAt(last + 5) & 4) === 0;
    }
    case 'video/webm':
    case 'video/x-matroska':
    case 'audio/webm': return matroskaEnd(head) > size;
    case 'video/mp4':
    case 'video/quicktime':
    case 'audio/mp4': return boxesEndEarly(size, read);
    default: return false;
  }
}

/** Where the one segment of a Matroska file ends by its own account, 0 where that is not said. @param {Uint8Array} head */
function matroskaEnd(head) {
  let at = 4;
  const number = () => {
    const first = head[at] ?? 0;
    const length = Math.clz32(first) - 23;
    if (length > 8 || at + length > head.length) return -1;
    let value = first & (0xff >> length);
    let unknown = value === (0xff >> length);
    for (let i = 1; i < length; i += 1) {
      value = value * 256 + head[at + i];
      unknown &&= head[at + i] === 0xff;
    }
    at += length;
    return unknown ? -1 : value;
  };
  const inside = number();
  if (inside < 0 || head[0] !== 0x1a) return 0;
  at += inside;
  if (head[at] !== 0x18 || head[at + 1] !== 0x53) return 0;
  at += 4;
  const length = number();
  return length < 0 ? 0 : at + length;
}

/** @param {number} size @param {(first: number, last: number) => Promise<Uint8Array>} read */
async function boxesEndEarly(size, read) {
  let at = 0;
  for (let boxes = 0; boxes < BOXES_MAX && at + 8 <= size; boxes += 1) {
    const box = await read(at, Math.min(size, at + 16) - 1);
    const view = new DataView(box.buffer, box.byteOffset, box.byteLength);
    const short = view.getUint32(0);
    const length = short === 1 && box.length === 16 ? Number(view.getBigUint64(8)) : short;
    if (length === 0) return false;
    if (length < 8) return false;
    at += length;
  }
  return at > size;
}
