// The page to choose or create a vault, shown before the server serves one.

import { api } from '../api.js';
import { byId, bytes, day, fullNameNode, h, set } from '../lib/html.js';

const STATES = {
  newer: 'made by a newer version: update CompactVault to open it',
  original: 'made by the Python original: cannot be opened here',
  not_a_vault: 'not a vault',
};

const list = byId('vaults');
const problem = byId('problem');
const field = byId('vault-name');

/** @param {Error} error */
function failed({ message }) {
  problem.textContent = message;
}

/** @param {string} name */
function choose(name) {
  problem.textContent = '';
  return api.selectVault(name).then(() => location.assign('/'), failed);
}

/** @param {import('../api.js').VaultFile} vault */
function row(vault) {
  const usable = vault.state === 'ok';
  const facts = usable ? `${bytes(vault.size_bytes)} · ${day(vault.modified_unix_ms)}` : STATES[vault.state];
  const inside = [fullNameNode(vault.name), h('span.meta', facts)];
  return h('li', usable
    ? h('button', { 'data-name': vault.name, onclick: () => choose(vault.name) }, inside)
    : h('div.unusable', inside));
}

/** @param {Awaited<ReturnType<typeof api.vaults>>} there */
function draw({ chosen, vaults }) {
  if (chosen) list.before(h('p', 'Open: ', h('a', { href: '/' }, chosen)));
  list.replaceChildren(...(vaults.length > 0 ? vaults.map(row) : [h('li.hint', 'No vault here yet. Name the first one.')]));
  if (!vaults.some((vault) => vault.state === 'ok')) field.value = 'archive';
}

set('create', {
  onsubmit(event) {
    event.preventDefault();
    const name = field.value.trim().replace(/\.vault$/, '');
    if (name) choose(`${name}.vault`);
    else field.focus();
  },
});

api.vaults().then(draw).catch(failed);
