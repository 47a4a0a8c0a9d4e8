// Files dragged over the page: says where they would go, and hands over what is dropped. Everything but files is left alone.

import { byId, show } from '../lib/html.js';
import { visibleName } from '../lib/format.js';
import { takeNow } from '../upload/collect.js';

/**
 * @param {{placeAt: (element: Element) => {key: string, name: string, target: any} | null, hover: (key: string | null) => void,
 *   drop: (target: any, taken: ReturnType<typeof takeNow>) => void}} what placeAt: the place under the pointer, or the one shown
 */
export function dropZone({ placeAt, hover, drop }) {
  const overlay = byId('drop-overlay');
  const label = byId('drop-target');
  let depth = 0;

  /** @param {DragEvent} event */
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files') ?? false;

  function end() {
    depth = 0;
    show(overlay, false);
    hover(null);
  }

  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(overlay, true);
  });
  addEventListener('dragleave', (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) end();
  });
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    const place = placeAt(/** @type {Element} */ (event.target));
    const name = visibleName(place?.name ?? '');
    if (label.textContent !== name) label.textContent = name;
    hover(/** @type {Element} */ (event.target).closest?.('.place') ? place?.key ?? null : null);
  });
  addEventListener('drop', (event) => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    const place = placeAt(/** @type {Element} */ (event.target));
    const taken = takeNow(event.dataTransfer);
    end();
    if (place) drop(place.target, taken);
  });
}
