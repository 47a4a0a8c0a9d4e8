// A font: its letters in the sizes people set, and whatever one types in it. The font is read from the asset's bytes and known
// to this viewer alone; where the browser refuses it, the server's specimen stands in.

import { ApiError, addressOf, api } from '../api.js';
import { factLine } from '../lib/facts.js';
import { dotted, h, fullNameNode, textField } from '../lib/html.js';
import { habits } from '../state.js';

const FONT_BYTES_MAX = 64_000_000;
const SIZES = [14, 18, 24, 36, 60];
const PANGRAM = 'The quick brown fox jumps over the lazy dog';
const LETTERS = ['ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz', '0123456789 .,:;!?&@#€$%()[]{}*+−=/', 'ÄÖÜäöüß Éèçñ Ææ Øø Łł', 'αβγδ ΑΒΓΔ', 'абвг АБВГ'];
let made = 0;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open({ box, tools, asset, signal, note, notice, notKnown, facts }) {
  const known = await facts();
  note(dotted(known.family, known.style, known.glyphs && `${known.glyphs} glyphs`) || factLine(known));
  made += 1;
  const family = `asset-${made}`;
  let face;
  try {
    if (asset.size_original > FONT_BYTES_MAX) throw new Error('too large to be set here');
    face = await new FontFace(family, await api.range(asset.id, 0, asset.size_original - 1, signal)).load();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError) throw error;
    const refused = () => notKnown('This font could not be set');
    if (!asset.thumbnail) refused();
    else box.append(h('img.specimen-picture', {
      alt: 'Specimen', src: addressOf.thumbnail(asset.id, 1024), onerror: refused,
      onload: () => notice('This browser could not set this font; what is shown is the server’s specimen.'),
    }));
    return;
  }
  if (signal.aborted) return;
  document.fonts.add(face);
  const rem = (px) => `${px / 16}rem`;
  const own = textField({ class: 'own-text', label: 'Text to set', placeholder: 'Type to set your own words', value: habits.get('specimen', ''), id: 'specimen-text', oninput: draw });
  const size = h('input', { type: 'range', min: 10, max: 160, value: 48, label: 'Size of your own words', oninput: draw });
  const words = h('p.own#specimen-own');
  const lines = h('div.lines');
  const view = h('div.specimen.scrolls#specimen-content', { tabindex: 0, role: 'document', label: 'Specimen' },
    h('p.set.aa', 'Aa'), h('div', h('h3', known.family || fullNameNode(asset.filename)), known.style && h('p.meta', known.style)),
    words, lines, h('div.set.letters', LETTERS.map((line) => h('p', line))));
  view.style.setProperty('--face', family);
  function draw() {
    habits.set('specimen', own.value);
    words.hidden = own.value === '';
    words.textContent = own.value;
    words.style.fontSize = rem(size.value);
    lines.replaceChildren(...SIZES.map((px) => {
      const line = h('p.set', h('span.px', px), own.value || PANGRAM);
      line.style.fontSize = rem(px);
      return line;
    }));
  }
  draw();
  tools.append(own, size);
  box.append(view);
  return { end: () => document.fonts.delete(face) };
}
