// Bytes as rows of sixteen: where, in hex, as characters. Pure.

export const ROW_BYTES = 16;

/** As wide as the largest offset of the file needs, at least 8 digits. @param {number} size */
export function offsetDigits(size) {
  return Math.max(8, Math.max(0, size - 1).toString(16).length);
}

/** @param {number} offset @param {number} digits */
export function offsetText(offset, digits) {
  return offset.toString(16).padStart(digits, '0');
}

/** "89 50 4e 47  0d 0a 1a 0a", the halves set apart. @param {Uint8Array} row at most 16 bytes */
export function hexText(row) {
  let text = '';
  row.forEach((byte, i) => {
    text += `${i === 0 ? '' : i === 8 ? '  ' : ' '}${byte.toString(16).padStart(2, '0')}`;
  });
  return text;
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
  const plain = text.trim().toLowerCase().replace(/[\s,_]/g, '');
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(plain);
  const hex = /^(?:0x([0-9a-f]+)|([0-9a-f]+)h)$/.exec(plain);
  let offset = NaN;
  if (percent && Number(percent[1]) <= 100) offset = Math.floor((Number(percent[1]) / 100) * Math.max(0, size - 1));
  else if (hex) offset = parseInt(hex[1] ?? hex[2], 16);
  else if (/^\d+$/.test(plain)) offset = Number(plain);
  return Number.isSafeInteger(offset) && offset >= 0 && offset < size ? offset : null;
}
