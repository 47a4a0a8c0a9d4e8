// What the vault vouches for: how much there is, the log's size and root, and the signed checkpoint to keep elsewhere.

import { api } from '../api.js';
import { copy } from '../components/messages.js';
import { bytes, count, dayAndTime, visibleName } from '../lib/format.js';
import { h, icon } from '../lib/html.js';

/** @param {HTMLElement} root @param {{status: import('../state.js').VaultStatus}} parts @returns {() => void} to take it down */
export function trustView(root, { status }) {
  const verdict = h('div', { class: 'verdict' });
  const figures = h('dl', { class: 'figures', 'data-testid': 'trust-figures' });
  const text = h('pre', { class: 'checkpoint', tabindex: '0', 'data-testid': 'checkpoint' });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const rootHash = h('code', { 'data-testid': 'log-root' });
  const page = h('div', { class: 'page', 'data-testid': 'trust' },
    h('header', {}, h('h1', {}, icon('seal'), 'Trust'),
      h('p', {}, 'Everything here is sealed in one log that only grows. Its root is a fingerprint of all of it: whoever kept an older checkpoint can prove that nothing was changed or removed since.')),
    verdict, problem,
    h('section', {}, h('h2', {}, 'The vault'), figures),
    h('section', {}, h('h2', {}, 'Root of the log'), h('p', {}, rootHash)),
    h('section', {}, h('h2', {}, 'Checkpoint'),
      h('p', { class: 'hint' }, 'Keep a copy where the vault is not: on another machine, in a mail, on paper.'), text,
      h('div', { class: 'buttons' },
        h('button', { type: 'button', 'data-testid': 'copy-checkpoint', onclick: () => copy(text.textContent, 'Checkpoint', text) }, icon('copy'), 'Copy'),
        h('a', { class: 'button', href: '/api/checkpoint', download: 'checkpoint.txt', 'data-testid': 'download-checkpoint' }, icon('download'), 'Download')),
      h('p', {}, 'Whether the vault still holds all that it covers: ', h('code', {}, 'compactvault verify --against checkpoint.txt')),
      h('p', { class: 'hint' }, 'For paper and telephone: ', h('code', {}, 'compactvault checkpoint --words'))),
    h('section', {}, h('h2', {}, 'Verify every byte'),
      h('p', {}, 'On the machine that has the vault: ', h('code', {}, 'compactvault verify')),
      h('p', { class: 'hint' }, 'It hashes every chunk again and compares it with what was sealed.')));
  root.replaceChildren(page);
  let size = -1;

  async function draw() {
    const now = status.value;
    if (!now) return;
    verdict.className = `verdict ${now.read_only ? 'warn' : 'ok'}`;
    verdict.replaceChildren(icon(now.read_only ? 'warning' : 'seal'), h('span', {}, now.read_only ? `Read only: ${now.read_only}` : `${visibleName(now.vault.name)} is open. Nothing in it can be changed or removed.`));
    const share = now.logical_bytes > 0 ? ` (${Math.round(((now.logical_bytes - now.stored_bytes) / now.logical_bytes) * 100)} %)` : '';
    /** @type {[string, string, string?][]} */
    const rows = [
      ['Entries in the log', count(now.log.size)],
      ['Assets', count(now.assets), 'every version counted'],
      ['Projects', count(now.projects)],
      ['Collections', count(now.collections)],
      ['Links', count(now.links)],
      ['Archived', bytes(now.logical_bytes)],
      ['In the file', bytes(now.file_bytes)],
      ['Saved', `${bytes(Math.max(0, now.logical_bytes - now.stored_bytes))}${now.logical_bytes > now.stored_bytes ? share : ''}`, `${bytes(now.saved_by_dedup_bytes)} equal, ${bytes(now.saved_by_compression_bytes)} compressed`],
      ['Safe to copy', now.safe_to_copy ? 'yes' : 'not while served'],
      ['Last verified', lastVerified(now.last_verified), now.last_verified.repairs > 0 ? `${count(now.last_verified.repairs)} times damage was healed` : undefined],
      ['Created', dayAndTime(now.vault.created_unix_ms)],
      ['Unfinished uploads', count(now.uploads_unfinished)],
      ['Format', count(now.vault.format), `CompactVault ${now.version}`],
    ];
    figures.replaceChildren(...rows.map(([term, value, more]) => h('div', {}, h('dt', {}, term), h('dd', {}, value), more && h('dd', { class: 'meta' }, more))));
    rootHash.textContent = now.log.root;
    if (now.log.size === size) return;
    size = now.log.size;
    try {
      text.textContent = await api.checkpoint();
      problem.textContent = '';
    } catch (error) {
      size = -1;
      problem.textContent = error.message;
    }
  }

  status.addEventListener('change', draw);
  draw();
  status.load().catch((error) => {
    problem.textContent = error.message;
  });
  return () => status.removeEventListener('change', draw);
}

/**
 * How long ago the part was checked whose turn was longest ago.
 * @param {import('../api.js').Status['last_verified']} verified
 */
function lastVerified(verified) {
  if (verified.oldest_unix_ms === null) return 'not yet';
  const days = Math.max(1, Math.ceil((Date.now() - verified.oldest_unix_ms) / 86_400_000));
  const within = `within ${count(days)} ${days === 1 ? 'day' : 'days'}`;
  return verified.parts_never === 0 ? `everything ${within}` : `${count(verified.parts - verified.parts_never)} of ${count(verified.parts)} parts ${within}`;
}
