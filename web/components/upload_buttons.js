// What can be done with a running or ended upload: pause, go on, cancel, retry, keep the receipt. In the panel and on the page.

import { count } from '../lib/format.js';
import { h, icon, setIcon, show } from '../lib/html.js';
import { receiptOf, saveAs } from '../upload/receipt.js';
import { toast } from './messages.js';

/** @param {import('../upload/session.js').UploadSession} session @param {string} name begins the test names @param {() => string} vaultName */
export function accountButtons(session, name, vaultName) {
  const pause = h('button', { type: 'button', 'data-testid': `${name}-pause`, onclick: () => (session.paused ? session.resume() : session.pause()) }, icon('pause'), h('span', {}, 'Pause'));
  const cancel = h('button', { type: 'button', 'data-testid': `${name}-cancel`, title: 'What was not sent is given up; what is queued will still be sealed.', onclick: () => session.cancel() }, 'Cancel the rest');
  const retry = h('button', { type: 'button', 'data-testid': `${name}-retry`, onclick: () => session.retry() });
  const receipt = h('button', { type: 'button', 'data-testid': `${name}-receipt`, title: 'Asset, SHA-256 and place in the log of each file, and the checkpoint', onclick: save }, icon('download'), 'Save receipt');

  async function save() {
    receipt.disabled = true;
    try {
      saveAs(await receiptOf(session, vaultName()));
    } catch (error) {
      toast(/** @type {Error} */ (error).message);
    } finally {
      receipt.disabled = false;
    }
  }

  return {
    element: h('div', { class: 'buttons' }, pause, cancel, retry, receipt),
    draw() {
      const { counts, finished, unsent, paused, found } = session;
      show(pause, unsent && !finished);
      show(cancel, unsent && !finished);
      show(retry, counts.failed > 0);
      show(receipt, finished && counts.sealed + counts.already > 0 && found > 0);
      setIcon(pause.firstElementChild, paused ? 'play' : 'pause');
      pause.lastElementChild.textContent = paused ? 'Resume' : 'Pause';
      retry.textContent = `Retry ${count(counts.failed)}`;
    },
  };
}
