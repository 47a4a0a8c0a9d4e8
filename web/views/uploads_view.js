// The page of uploads: the account of this page's uploads in full, and what the server still holds unfinished.

import { api } from '../api.js';
import { UploadRows, accountButtons, accountOf, bar } from '../components/upload_parts.js';
import { bytes, count, plural, visibleName } from '../lib/format.js';
import { h, icon, show } from '../lib/html.js';

/** @param {HTMLElement} root @param {{session: import('../upload/session.js').UploadSession, addFiles: () => void, vaultName: () => string}} parts @returns {() => void} to take it down */
export function uploadsView(root, { session, addFiles, vaultName }) {
  const rows = new UploadRows(session);
  const summary = h('p', { class: 'account', 'data-testid': 'uploads-summary' });
  const progress = bar();
  const buttons = accountButtons(session, 'uploads', vaultName);
  const close = h('button', { type: 'button', 'data-testid': 'uploads-close', onclick: () => session.clear() }, 'Close this account');
  const add = h('button', { type: 'button', onclick: addFiles }, icon('upload'), 'Add files');
  const unfinished = h('div', {});
  const page = h('div', { class: 'page uploads-page', 'data-testid': 'uploads' },
    h('header', {}, h('h1', {}, icon('upload'), 'Uploads'), unfinished),
    h('div', { class: 'upload-body' }, summary, progress.element, h('div', { class: 'buttons' }, add, buttons.element, close)),
    rows.tabs, rows.list);
  root.replaceChildren(page);

  let due = false;
  let gone = false;
  function soon() {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      if (!gone) draw();
    }, 200);
  }

  function draw() {
    const { counts, found, finished } = session;
    show(rows.tabs, found > 0);
    show(rows.list, found > 0);
    show(progress.element, found > 0 && !finished);
    buttons.draw();
    show(close, finished);
    if (found === 0) summary.textContent = 'Nothing was added from this page yet.';
    else if (finished) summary.textContent = accountOf(session);
    else summary.textContent = `${count(counts.sealed + counts.already)} of ${count(found)} sealed, ${count(counts.queued)} queued, ${count(counts.failed)} failed`;
    const share = found > 0 ? session.ended / found : 0;
    progress.set(Math.max(share, session.sentBytes / Math.max(1, session.totalBytes)), share);
    if (found > 0) rows.draw();
  }

  async function drawUnfinished() {
    try {
      const { uploads } = await api.uploads();
      const mine = new Set(session.items.map((item) => item.uploadId));
      const others = uploads.filter((upload) => upload.status === 'receiving' && !mine.has(upload.upload_id));
      if (others.length === 0 || gone) return;
      const size = others.reduce((sum, upload) => sum + (upload.received_bytes ?? 0), 0);
      const names = others.slice(0, 3).map((upload) => upload.filename).filter(Boolean).map((name) => visibleName(String(name)));
      unfinished.replaceChildren(h('p', { 'data-testid': 'unfinished' },
        `${plural(others.length, 'upload')} of an earlier visit or another window ${others.length === 1 ? 'is' : 'are'} unfinished (${bytes(size)} received${names.length > 0 ? `: ${names.join(', ')}` : ''}). To continue, drop the same folder again. Parts already there are not sent twice.`));
    } catch {
      // The bar says it already.
    }
  }

  session.addEventListener('change', soon);
  draw();
  drawUnfinished();
  return () => {
    gone = true;
    session.removeEventListener('change', soon);
  };
}
