// The receipt of an upload: for each file its asset, SHA-256 and position in the log, and the checkpoint that covers them all.

import { api } from '../api.js';
import { eachLimited } from '../lib/queue.js';

const LANES = 4;

/**
 * @param {import('./session.js').UploadSession} session @param {string} vault its name
 * @returns {Promise<{name: string, text: string}>}
 */
export async function receiptOf(session, vault) {
  const there = session.items.filter(({ state, assetId }) => (state === 'sealed' || state === 'already') && assetId > 0);
  await eachLimited(there.filter(({ sha256 }) => !sha256), LANES, async (item) => {
    item.sha256 = (await api.details(item.assetId)).sha256;
  });
  const checkpoint = await api.checkpoint();
  const made = new Date().toISOString();
  const { counts, found } = session;
  const pathOf = ({ where, name }) => (where ? `${where}/${name}` : name);
  const receipt = {
    receipt: 'CompactVault', vault, made, found, sealed: counts.sealed, already_here: counts.already, failed: counts.failed, checkpoint,
    assets: there.map((item) => ({
      path: pathOf(item), bytes: item.size, sha256: item.sha256, asset: item.assetId,
      log_position: item.assetId, collection: item.collectionId, state: item.state === 'already' ? 'already here' : 'sealed',
    })),
    not_archived: session.items.filter(({ state }) => state === 'failed').map((item) => ({ path: pathOf(item), why: item.error })),
  };
  return { name: `receipt ${made.slice(0, 19).replaceAll(':', '.')}.json`, text: `${JSON.stringify(receipt, null, 1)}\n` };
}

/** Hands a text to the person as a file. @param {{name: string, text: string}} file */
export function saveAs({ name, text }) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
