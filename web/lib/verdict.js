// Whether the vault was found as it was sealed, how long ago, and in which words to say so. Pure.

import { bytes, count, day, plural, timeLeft } from './format.js';

const DAY_MS = 86_400_000;
/** Verified within this many days is well; longer ago is worth a warning. */
export const FRESH_DAYS = 30;

/** @param {number} ms */
export function ago(ms) {
  const days = Math.floor(ms / DAY_MS);
  if (ms < 60_000) return 'just now';
  if (ms < 3_600_000) return `${plural(Math.floor(ms / 60_000), 'minute')} ago`;
  if (days === 0) return `${plural(Math.floor(ms / 3_600_000), 'hour')} ago`;
  return `${plural(days, 'day')} ago`;
}

/**
 * @param {import('../api.js').Status | null} status @param {import('../api.js').Verification | null} run @param {number} now
 * @returns {{state: 'ok' | 'warn' | 'bad' | 'running', short: string, long: string}}
 */
export function verdictOf(status, run, now) {
  if (run?.state === 'running') {
    const { part } = progressOf(run, now);
    return { state: 'running', short: `Verifying: ${Math.floor(part * 100)} %`, long: 'Verifying now' };
  }
  const last = status?.last_full_verification;
  if (!status || last === undefined) return { state: 'warn', short: status ? 'Trust' : '', long: 'Never verified as a whole from here' };
  if (last === null) return { state: 'warn', short: 'Never verified', long: 'Never verified as a whole yet. Verifying reads every byte and compares it with what was sealed.' };
  const when = ago(now - last.unix_ms);
  if (last.findings > 0) return { state: 'bad', short: plural(last.findings, 'finding'), long: `${plural(last.findings, 'finding')} when it was last verified, ${when}` };
  const old = now - last.unix_ms > FRESH_DAYS * DAY_MS;
  const more = status.log.size - last.log_size;
  return {
    state: old ? 'warn' : 'ok', short: `Verified ${when}`,
    long: `${old ? `Last verified ${when}` : `Everything was as sealed, ${when}`}: ${plural(last.log_size, 'entry', 'entries')}, every byte read, ${day(last.unix_ms)}${more > 0 ? `. ${plural(more, 'entry', 'entries')} sealed since.` : '.'}`,
  };
}

/** @param {import('../api.js').Verification} run @param {number} now */
export function progressOf(run, now) {
  const part = run.bytes_total > 0 ? run.bytes_done / run.bytes_total : run.entries_total > 0 ? run.entries_done / run.entries_total : 0;
  const seconds = Math.max(0.001, run.seconds || (now - run.started_unix_ms) / 1000);
  const perSecond = run.bytes_done / seconds;
  const left = perSecond > 0 ? (run.bytes_total - run.bytes_done) / perSecond : Infinity;
  return { part: Math.min(1, part), words: [`${count(run.entries_done)} of ${plural(run.entries_total, 'entry', 'entries')}`, perSecond > 0 && `${bytes(perSecond)}/s`, timeLeft(left)].filter(Boolean).join(', ') };
}

/**
 * What was pasted to compare: the 32 words of a root, or a checkpoint.
 * @param {string} text @returns {{words: string[], size: number | null} | {size: number, root: string, origin: string} | null}
 */
export function pastedRoot(text) {
  const lines = text.trim().split(/\r?\n/).map((line) => line.trim());
  const at = lines.findIndex((line) => line.startsWith('compactvault/'));
  if (at >= 0 && /^\d+$/.test(lines[at + 1] ?? '') && /^[A-Za-z0-9+/]{43}=$/.test(lines[at + 2] ?? '')) {
    return { origin: lines[at], size: Number(lines[at + 1]), root: lines[at + 2] };
  }
  const words = text.toLowerCase().match(/[a-z]+/g) ?? [];
  const size = /\bsize\s+(\d+)/i.exec(text);
  return words.length >= 32 ? { words: words.slice(-32), size: size && Number(size[1]) } : null;
}

/**
 * @param {ReturnType<typeof pastedRoot>} pasted @param {import('../api.js').Status} status
 * @returns {{state: 'ok' | 'warn' | 'bad', text: string}}
 */
export function comparison(pasted, status) {
  if (pasted === null) return { state: 'warn', text: 'This is neither 32 words nor a checkpoint.' };
  const different = { state: /** @type {const} */ ('bad'), text: 'Not the same root: this is another vault or another state of it, or its history was changed.' };
  if ('words' in pasted) {
    const same = pasted.words.join(' ') === (status.log.words ?? []).join(' ').toLowerCase();
    if (same) return { state: 'ok', text: 'The same root: nothing was added, changed or removed since.' };
    return pasted.size !== null && pasted.size < status.log.size ? older(pasted.size) : different;
  }
  if (pasted.origin !== `compactvault/${status.vault.id}`) return { state: 'bad', text: 'This checkpoint is of another vault.' };
  if (pasted.size === status.log.size) return pasted.root === status.log.root ? { state: 'ok', text: 'The same root: nothing was added, changed or removed since.' } : { state: 'bad', text: 'Not the same root: the history was changed.' };
  if (pasted.size > status.log.size) return { state: 'bad', text: `This checkpoint covers ${count(pasted.size)} entries, the vault has ${count(status.log.size)}: it was set back to an older state.` };
  return older(pasted.size);
}

/** @param {number} size @returns {{state: 'warn', text: string}} */
function older(size) {
  return { state: 'warn', text: `An older state, of ${plural(size, 'entry', 'entries')}. Whether all of it is still there, the command line tells: compactvault verify --against.` };
}
