// What the page says about the vault's state: never neutral.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ago, progressOf, verdictOf } from '../lib/verdict.js';

const DAY = 86_400_000;

/** @param {any} [facts] @returns {any} */
const status = (facts) => ({ log: { size: 100 }, last_full_verification: null, ...facts });

describe('the verdict', () => {
  it('is well for a month, then a warning, and bad with findings', () => {
    const at = (/** @type {number} */ days, findings = 0) => verdictOf(status({ last_full_verification: { unix_ms: 0, depth: 'full', findings, log_size: 90 } }), null, days * DAY);
    assert.equal(at(3).state, 'ok');
    assert.equal(at(3).short, 'Verified 3 days ago');
    assert.match(at(3).long, /10 entries sealed since/);
    assert.equal(at(41).state, 'warn');
    assert.equal(at(1, 2).state, 'bad');
    assert.equal(verdictOf(status(), null, 0).state, 'warn');
  });

  it('says how far a running verification is', () => {
    const run = { state: 'running', depth: 'full', bytes_done: 50_000_000, bytes_total: 100_000_000, entries_done: 1, entries_total: 2, started_unix_ms: 0, ended_unix_ms: 0, seconds: 5, findings: [], findings_total: 0 };
    assert.equal(verdictOf(status(), /** @type {any} */ (run), 0).short, 'Verifying: 50 %');
    assert.match(progressOf(/** @type {any} */ (run), 0).words, /1 of 2 entries, 10 MB\/s, a few seconds/);
  });

  it('puts ages into words', () => {
    assert.deepEqual([ago(5), ago(120_000), ago(7_200_000), ago(DAY), ago(9 * DAY)], ['just now', '2 minutes ago', '2 hours ago', '1 day ago', '9 days ago']);
  });
});
