// How wide the columns of a table are, from the rows at hand, and which hold numbers. Pure.

const LEAST = 4;
const MOST = 40;
const NUMBER = /^\s*[-+]?(?:\d[\d,. ]*|\.\d+)(?:e[-+]?\d+)?\s*%?\s*$/i;
/** Beyond this many columns a row would cost more than a screen of them is worth. */
export const COLUMNS_MAX = 500;

/**
 * @param {string[] | null} header @param {string[][]} rows a sample @param {number} columns
 * @returns {{width: number, numeric: boolean}[]} widths in characters
 */
export function columnsOf(header, rows, columns) {
  return Array.from({ length: Math.min(columns, COLUMNS_MAX) }, (_, i) => {
    const cells = rows.map((row) => row[i] ?? '');
    const filled = cells.filter((cell) => cell.trim() !== '');
    const width = Math.max(LEAST, header?.[i]?.length ?? 0, ...cells.map((cell) => cell.length));
    return { width: Math.min(width, MOST), numeric: filled.length > 0 && filled.every((cell) => NUMBER.test(cell)) };
  });
}

/** A column without a name: A to Z, then AA, as spreadsheets have it. @param {number} index */
export function columnLetters(index) {
  let name = '';
  for (let n = index + 1; n > 0; n = Math.floor((n - 1) / 26)) name = String.fromCharCode(65 + ((n - 1) % 26)) + name;
  return name;
}
