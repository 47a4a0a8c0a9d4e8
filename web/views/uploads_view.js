// The page of uploads: the account of this page's uploads in full, and what the server still holds unfinished.

import { api } from '../api.js';
import { accountOf, uploadAccount } from '../components/upload_parts.js';
import { DROP_AGAIN, bytes, count, h, icon, plural, show, soon, visibleName } from '../lib/html.js';

/** @param {HTMLElement} root @param {{session: import('../upload/session.js').UploadSession, addFiles: () => void, status: import('../state.js').VaultStatus, signal: AbortSignal}} parts it ends with the signal */
export function open(root, { session, addFiles, status, signal }) {
  const account = uploadAccount(session, 'uploads', status);
  const summary = h('p.account');
  const close = h('button#uploads-close', { onclick: () => session.clear() }, 'Close this account');
  const add = h('button', { onclick: addFiles }, icon('upload'), 'Add files');
  const unfinished = h('div');
  root.replaceChildren(h('div.page.uploads-page#uploads',
    h('header', h('h1', icon('upload'), 'Uploads'), unfinished),
    h('div.upload-body', summary, account.bar, h('div.buttons', add, account.buttons, close)),
    account.files));

  function draw() {
    if (signal.aborted) return;
    const { counts: { sealed, already, queued, failed }, found, finished } = session;
    account.draw(found > 0);
    show(close, finished);
    summary.textContent = found === 0 ? 'Nothing was added from this page yet.' : finished ? accountOf(session)
      : `${count(sealed + already)} of ${count(found)} sealed, ${count(queued)} queued, ${count(failed)} failed`;
  }

  async function drawUnfinished() {
    const { uploads } = await api.uploads();
    const mine = new Set(session.items.map((item) => item.uploadId));
    const others = uploads.filter(({ status, upload_id: id }) => status === 'receiving' && !mine.has(id));
    if (others.length === 0) return;
    const size = others.reduce((sum, upload) => sum + (upload.received_bytes ?? 0), 0);
    const names = others.slice(0, 3).map(({ filename }) => filename && visibleName(filename)).filter(Boolean).join(', ');
    unfinished.append(h('p#unfinished',
      `${plural(others.length, 'upload')} of an earlier visit or another window ${others.length === 1 ? 'is' : 'are'} unfinished (${bytes(size)} received${names && `: ${names}`}). ${DROP_AGAIN}`));
  }

  session.on('change', soon(draw, 200), { signal });
  draw();
  // Of a failure the bar tells.
  drawUnfinished().catch(() => {});
}
