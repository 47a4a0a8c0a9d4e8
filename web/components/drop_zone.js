// Files dragged over the page: says where they would go, and hands over what is dropped. Everything but files is left alone.

import { byId, set, setText, show } from '../lib/html.js';
import { visibleName } from '../lib/format.js';
import { takeNow } from '../upload/collect.js';

/**
 * @param {{placeAt: (element: Element) => {key: string, name: string, target: any} | null, hover: (key: string | null) => void,
 *   drop: (target: any, taken: ReturnType<typeof takeNow>) => void}} what placeAt: the place under the pointer, or the one shown
 */
export function dropZone({ placeAt, hover, drop }) {
  const overlay = byId('drop-overlay');
  let depth = 0;

  /** @param {(event: any) => void} act */
  const withFiles = (act) => (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    act(event);
  };

  function end() {
    depth = 0;
    show(overlay, false);
    hover(null);
  }

  set(window, {
    ondragenter: withFiles(() => {
      depth += 1;
      show(overlay, true);
    }),
    ondragleave: withFiles(() => {
      depth -= 1;
      if (depth <= 0) end();
    }),
    ondragover: withFiles(({ dataTransfer, target }) => {
      dataTransfer.dropEffect = 'copy';
      const place = placeAt(target);
      setText(byId('drop-target'), visibleName(place?.name ?? ''));
      hover(target.closest?.('.place') ? place?.key ?? null : null);
    }),
    ondrop: withFiles(({ dataTransfer, target }) => {
      const place = placeAt(target);
      const taken = takeNow(dataTransfer);
      end();
      if (place) drop(place.target, taken);
    }),
  });
}
