// What the vault vouches for: when every byte was last read, the log's size and root in words to compare, the signed checkpoint
// to keep elsewhere, and verification with what it finds.

import { api } from '../api.js';
import { copy } from '../components/messages.js';
import { bytes, count, dayAndTime, entries, fullNameNode, h, icon, plural, problem, redraw, set, setIcon, setText, show, visibleName } from '../lib/html.js';
import { sleep } from '../lib/queue.js';
import { progressOf, verdictOf } from '../lib/verdict.js';

/** Typing has rested when nothing came for so long. */
const REST_MS = 300;
const ICONS = { ok: 'seal', warn: 'warning', bad: 'error', running: 'seal' };

/**
 * @param {HTMLElement} root @param {{status: import('../state.js').VaultStatus, verification: import('../state.js').Verifying, signal: AbortSignal}} parts it ends with the signal
 */
export function open(root, { status, verification, signal }) {
  const verdictText = h('span');
  const verdict = h('div#trust-verdict', icon('seal'), verdictText);
  const failed = problem();
  const run = verifySection(verification);
  const figures = h('dl.figures');
  const rootHash = h('code');
  const words = h('ol.words#log-words', { label: 'The root in 32 words' });
  const text = h('pre.checkpoint#checkpoint', { tabindex: 0, label: 'Checkpoint' });
  const compared = h('p.compared#compare-result', { role: 'status' });
  const field = h('textarea#compare', { rows: 3, spellcheck: 'false', autocomplete: 'off', oninput: compare });
  const printed = h('p.only-print');
  const section = (title, ...children) => h('section', h('h2', title), children);
  const root32 = section('Root of the log', printed, words, h('p', rootHash));
  root32.className = 'sheet';
  root.replaceChildren(h('div.page.trust#trust',
    h('header', h('h1', icon('seal'), 'Trust'),
      h('p', 'Everything here is sealed in one log that only grows. Its root is a fingerprint of all of it: whoever kept an older checkpoint can prove that nothing was changed or removed since.')),
    verdict, failed,
    section('Verify every byte', h('p.hint', 'Hashes every chunk again and compares it with what was sealed. The vault can be used meanwhile.'), run.elements),
    section('The vault', figures),
    root32,
    section(h('label', { for: 'compare' }, 'Compare'), h('p.hint', 'Paste the words of a sheet or a checkpoint that was kept, however old: every entry that it covers is hashed again.'), field, compared),
    section('Checkpoint', h('p.hint', 'Keep a copy where the vault is not: on another machine, in a mail, on paper.'), text,
      h('div.buttons',
        h('button#copy-checkpoint', { onclick: () => copy(text.textContent, 'Checkpoint', text) }, icon('copy'), 'Copy'),
        h('a.button#download-checkpoint', { href: '/api/checkpoint', download: 'checkpoint.txt' }, icon('download'), 'Download'),
        h('button#print-checkpoint', { onclick: () => print() }, icon('print'), 'Print the words')))));
  let size = -1;
  let asking = new AbortController();

  function drawVerdict() {
    const { state, long } = verdictOf(status.value, verification.value, Date.now());
    verdict.className = `verdict ${state}`;
    setIcon(verdict.firstElementChild, ICONS[state]);
    setText(verdictText, long);
    run.draw();
  }

  /** Asks once typing rests. */
  async function compare() {
    asking.abort();
    asking = new AbortController();
    const end = AbortSignal.any([signal, asking.signal]);
    compared.replaceChildren();
    if (field.value.trim() === '') return;
    try {
      await sleep(REST_MS, end);
      told(await api.compare(field.value, end));
    } catch (error) {
      if (!end.aborted) say('warn', error.message);
    }
  }

  /** @param {import('../api.js').Comparison} found */
  function told({ verdict, damaged_entries: damaged, message, size: covered, log_size: all }) {
    if (verdict !== 'same') say('bad', `Not the same: ${message}.`);
    else say(damaged > 0 ? 'warn' : 'ok', `The same: ${message}.${all > covered ? ` ${entries(all - covered)} sealed since.` : ''}`);
  }

  /** @param {string} state @param {string} text */
  function say(state, text) {
    compared.className = `compared ${state}`;
    compared.replaceChildren(icon(state === 'ok' ? 'check' : ICONS[state]), h('span', text));
  }

  async function draw() {
    const now = status.value;
    if (!now) return;
    const { log, vault } = now;
    drawVerdict();
    figures.replaceChildren(...figuresOf(now).map(([term, value, more]) => h('div', h('dt', term), h('dd', value), more && h('dd.meta', more))));
    if (log.size === size) return;
    size = log.size;
    setText(rootHash, log.root);
    words.replaceChildren(...(log.words ?? []).map((word) => h('li', word)));
    setText(printed, `${visibleName(vault.name)}, vault ${vault.id}: ${entries(log.size)}, ${dayAndTime(Date.now())}`);
    try {
      text.textContent = await api.checkpoint();
      failed.textContent = '';
    } catch (error) {
      size = -1;
      failed.textContent = error.message;
    }
  }

  status.on('change', draw, { signal });
  verification.on('change', drawVerdict, { signal });
  draw();
  for (const loading of [status.load(), verification.load()]) loading.catch(({ message }) => { failed.textContent = message; });
}

/** @param {import('../state.js').Verifying} verification */
function verifySection(verification) {
  const running = () => verification.value?.state === 'running';
  const button = h('button.solid#verify-now', { onclick: () => (running() ? verification.stop() : verification.start()) });
  const bar = h('div.sealed');
  const progress = h('div.bar', { role: 'progressbar', label: 'Verified', 'aria-valuemin': 0, 'aria-valuemax': 100 }, bar);
  const words = h('p.meta.number#verify-words');
  const failed = problem();
  const findings = h('ul.findings#verify-findings');
  return {
    elements: [progress, words, h('div.buttons', button), failed, findings],
    draw() {
      setText(button, running() ? 'Stop' : 'Verify now');
      button.classList.toggle('solid', !running());
      show(progress, running());
      setText(failed, verification.error);
      const run = verification.value;
      if (!run || run.state === 'idle') return;
      const { part, percent, words: going } = progressOf(run, Date.now());
      bar.style.transform = `scaleX(${part})`;
      set(progress, { 'aria-valuenow': percent });
      setText(words, running() ? `${percent} %: ${going}`
        : `${run.state === 'stopped' ? 'Stopped' : 'Ended'} ${dayAndTime(run.ended_unix_ms)} after ${plural(Math.max(1, Math.round(run.seconds)), 'second')}: ${entries(run.entries_done)}, ${bytes(run.bytes_done)} read, ${plural(run.findings_total, 'finding')}.`);
      const more = run.findings_total - run.findings.length;
      redraw(findings, run.findings.map(({ code, message, asset_id: id, path = '' }) => h('li', icon('error'), h('code', code), ' ', message,
        path && (id ? h('a', { href: `/?i=${id}` }, fullNameNode(path)) : fullNameNode(path)))),
      more > 0 && h('li', `and ${count(more)} more: compactvault verify lists them all`));
    },
  };
}

/** @param {import('../api.js').Status} now @returns {[string, string, (string | false | undefined)?][]} */
function figuresOf(now) {
  const saved = Math.max(0, now.logical_bytes - now.stored_bytes);
  const share = saved > 0 ? ` (${Math.round((saved / now.logical_bytes) * 100)} %)` : '';
  const parity = now.parity?.percent ?? 0;
  return [
    ['Entries in the log', count(now.log.size)],
    ['Assets', count(now.assets), 'every version counted'],
    ['Projects', count(now.projects), plural(now.collections, 'collection')],
    ['Archived', bytes(now.logical_bytes)],
    ['In the file', bytes(now.file_bytes)],
    ['Saved', `${bytes(saved)}${share}`, `${bytes(now.saved_by_dedup_bytes)} equal, ${bytes(now.saved_by_compression_bytes)} compressed`],
    ['Repairs', count(now.last_verified.repairs), 'times damage was healed'],
    ['Findings', now.last_full_verification ? count(now.last_full_verification.findings) : 'unknown', 'when it was last verified as a whole'],
    ['Parity', parity > 0 ? `${parity} %` : 'none', parity > 0 && `${bytes(now.parity.bytes)} to repair damage with`],
    ['Checked meanwhile', scrubbed(now.last_verified), 'part by part, while nothing else happens'],
    ['Safe to copy', now.safe_to_copy ? 'yes' : 'not while served'],
    ['Links', count(now.links)],
    ['Unfinished uploads', count(now.uploads_unfinished)],
    ['Created', dayAndTime(now.vault.created_unix_ms)],
    ['Format', count(now.vault.format), `CompactVault ${now.version}`],
    ['Read only', now.read_only],
  ].filter(([, value]) => value);
}

/**
 * How long ago the part was checked whose turn was longest ago.
 * @param {import('../api.js').Status['last_verified']} verified
 */
function scrubbed({ oldest_unix_ms: oldest, parts, parts_never: never }) {
  if (oldest === null) return 'not yet';
  if (never > 0) return `${count(parts - never)} of ${count(parts)} parts`;
  return `everything within ${plural(Math.max(1, Math.ceil((Date.now() - oldest) / 86_400_000)), 'day')}`;
}
