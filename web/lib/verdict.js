// Whether the vault was found as it was sealed, how long ago, and in which words to say so. Pure.

import { bytes, count, day, entries, plural, timeLeft } from './format.js';

const DAY_MS = 86_400_000;
/** Verified within this many days is well; longer ago is worth a warning. */
const FRESH_DAYS = 30;

/** @param {number} ms */
export function ago(ms) {
  for (const [length, word] of [[DAY_MS, 'day'], [3_600_000, 'hour'], [60_000, 'minute']]) {
    if (ms >= length) return `${plural(Math.floor(ms / length), word)} ago`;
  }
  return 'just now';
}

/**
 * @param {import('../api.js').Status | null} status @param {import('../api.js').Verification | null} run @param {number} now
 * @returns {{state: 'ok' | 'warn' | 'bad' | 'running', short: string, long: string}}
 */
export function verdictOf(status, run, now) {
  if (run?.state === 'running') {
    return { state: 'running', short: `Verifying: ${progressOf(run, now).percent} %`, long: 'Verifying now' };
  }
  const last = status?.last_full_verification;
  if (last === undefined) return { state: 'warn', short: status ? 'Trust' : '', long: 'Never verified as a whole from here' };
  if (last === null) return { state: 'warn', short: 'Never verified', long: 'Never verified as a whole yet. Verifying reads every byte and compares it with what was sealed.' };
  const when = ago(now - last.unix_ms);
  const findings = plural(last.findings, 'finding');
  if (last.findings > 0) return { state: 'bad', short: findings, long: `${findings} when it was last verified, ${when}` };
  const old = now - last.unix_ms > FRESH_DAYS * DAY_MS;
  const more = status.log.size - last.log_size;
  return {
    state: old ? 'warn' : 'ok', short: `Verified ${when}`,
    long: `${old ? 'Last verified' : 'Everything was as sealed,'} ${when}: ${entries(last.log_size)}, every byte read, ${day(last.unix_ms)}.${more > 0 ? ` ${entries(more)} sealed since.` : ''}`,
  };
}

/** @param {import('../api.js').Verification} run @param {number} now */
export function progressOf(run, now) {
  const { bytes_done: done, bytes_total: total, entries_done: entriesDone, entries_total: entriesTotal } = run;
  const part = Math.min(1, total > 0 ? done / total : entriesDone / Math.max(1, entriesTotal));
  const perSecond = done / Math.max(0.001, run.seconds || (now - run.started_unix_ms) / 1000);
  const words = [`${count(entriesDone)} of ${entries(entriesTotal)}`, perSecond > 0 && `${bytes(perSecond)}/s`, timeLeft((total - done) / perSecond)];
  return { part, percent: Math.floor(part * 100), words: words.filter(Boolean).join(', ') };
}
