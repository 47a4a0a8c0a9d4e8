// What can be done with a running or ended upload: pause, go on, cancel, retry, keep the receipt. In the panel and on the page.

import { count } from '../lib/format.js';
import { h, icon, setIcon, show } from '../lib/html.js';
import { receiptOf, saveAs } from '../upload/receipt.js';
import { toast } from './messages.js';

/** The closed account. @param {import('../upload/session.js').UploadSession} session */
export function accountOf({ found, counts: { sealed, already, failed } }) {
  return `Found ${count(found)} = sealed ${count(sealed)} + already here ${count(already)} + failed ${count(failed)}.`;
}

/** @param {import('../upload/session.js').UploadSession} session @param {string} name begins the test names @param {() => string} vaultName */
export function accountButtons(session, name, vaultName) {
  const pause = h('button', { testid: `${name}-pause`, onclick: () => (session.paused ? session.resume() : session.pause()) }, icon('pause'), h('span'));
  const cancel = h('button', { testid: `${name}-cancel`, title: 'What was not sent is given up; what is queued will still be sealed.', onclick: () => session.cancel() }, 'Cancel the rest');
  const retry = h('button', { testid: `${name}-retry`, onclick: () => session.retry() });
  const receipt = h('button', { testid: `${name}-receipt`, title: 'Asset, SHA-256 and place in the log of each file, and the checkpoint', onclick: save }, icon('download'), 'Save receipt');

  async function save() {
    receipt.disabled = true;
    await receiptOf(session, vaultName()).then(saveAs).catch((error) => toast(error.message));
    receipt.disabled = false;
  }

  return {
    element: h('div.buttons', pause, cancel, retry, receipt),
    draw() {
      const { counts: { sealed, already, failed }, finished, unsent, paused } = session;
      show(pause, unsent && !finished);
      show(cancel, unsent && !finished);
      show(retry, failed > 0);
      show(receipt, finished && sealed + already > 0);
      setIcon(pause.firstElementChild, paused ? 'play' : 'pause');
      pause.lastElementChild.textContent = paused ? 'Resume' : 'Pause';
      retry.textContent = `Retry ${count(failed)}`;
    },
  };
}
