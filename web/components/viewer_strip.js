// What lies on both sides of the asset shown, to be turned to at once.

import { h, icon, set, setIcon, show, visibleName } from '../lib/html.js';
import { iconOf } from './cells.js';
import { pictureElement } from './thumbs.js';

/** On each side. */
const NEAR = 3;
const PICTURE_PX = 48;

/** @param {import('./thumbs.js').Thumbs} thumbs @param {(by: number) => void} step */
export function viewerStrip(thumbs, step) {
  const cells = Array.from({ length: 2 * NEAR + 1 }, (_, i) => {
    const glyph = icon('binary');
    const image = pictureElement();
    // Not stops of Tab: the arrow keys lead to the same.
    return { glyph, image, button: h('button.plain', { tabindex: -1, current: i === NEAR || null, onclick: () => step(i - NEAR) }, glyph, image) };
  });
  const element = h('div.viewer-strip', { role: 'group', label: 'Before and after' }, cells.map(({ button }) => button));

  /** @param {(by: number) => import('../api.js').Asset | undefined} near what stands so many further on, if that is an asset and known */
  function draw(near) {
    const assets = cells.map((_, i) => near(i - NEAR));
    show(element, assets.filter(Boolean).length > 1);
    cells.forEach(({ glyph, image, button }, i) => {
      const asset = assets[i];
      set(button, { tip: asset && visibleName(asset.filename) });
      button.style.visibility = asset ? '' : 'hidden';
      if (asset) setIcon(glyph, iconOf(asset));
      thumbs.draw(image, asset, PICTURE_PX);
    });
  }

  return { element, draw };
}
