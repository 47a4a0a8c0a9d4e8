// A PDF in the browser's own viewer. The frame has no `sandbox` attribute, under which Chromium shows no PDF; the answer's
// policy keeps it from fetching anything.

import { addressOf } from '../api.js';
import { h, visibleName } from '../lib/html.js';

/** @param {import('../components/viewer.js').Stage} stage */
export function open({ box, asset, fail, noteFacts, sayIfCut }) {
  noteFacts();
  if (navigator.pdfViewerEnabled === false) {
    fail('This browser shows no PDF by itself. Open or download it to read it in another program.');
    return;
  }
  sayIfCut('This PDF has no end mark: it was probably cut short. What can be read of it may be little or nothing.');
  box.append(h('iframe.pages#viewer-pages', { src: addressOf.bytes(asset.id), title: visibleName(asset.filename) }));
}
