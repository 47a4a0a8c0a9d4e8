// Bytes as rows of sixteen: where, in hex, as characters. Pure.

export const ROW_BYTES = 16;

/** Two hex digits for each byte. @param {Iterable<number>} bytes @param {string} [between] */
export function hexOf(bytes, between = '') {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(between);
}

/** As wide as the largest offset of the file needs, at least 8 digits. @param {number} size */
export function offsetDigits(size) {
  return Math.max(8, (size - 1).toString(16).length);
}

/** @param {number} offset @param {number} digits */
export function offsetText(offset, digits) {
  return offset.toString(16).padStart(digits, '0');
}

/** "89 50 4e 47  0d 0a 1a 0a", the halves set apart. @param {Uint8Array} row at most 16 bytes */
export function hexText(row) {
  return [row.subarray(0, 8), row.subarray(8)].filter(({ length }) => length > 0).map((half) => hexOf(half, ' ')).join('  ');
}

/** Printable ASCII as it is, everything else as a dot. @param {Uint8Array} row */
export function asciiText(row) {
  return Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('');
}

/**
 * An offset as people write it: `4096`, `0x1000`, `1000h`, with spaces or commas between digits, or `50%`.
 * @param {string} text @param {number} size @returns {number | null} null where it is none within the file
 */
export function readOffset(text, size) {
  const plain = text.toLowerCase().replace(/[\s,_]/g, '');
  const [, percent, hex, hexToo, decimal] = /^(?:(\d+(?:\.\d+)?)%|0x([0-9a-f]+)|([0-9a-f]+)h|(\d+))$/.exec(plain) ?? [];
  let offset = Number(decimal);
  if (percent) offset = percent <= 100 ? Math.floor((percent / 100) * (size - 1)) : NaN;
  else if (hex ?? hexToo) offset = parseInt(hex ?? hexToo, 16);
  return offset < size ? offset : null;
}
