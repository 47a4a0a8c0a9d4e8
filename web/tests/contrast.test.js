// Every pair of text and ground the page uses, in both themes, read from tokens.css itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const css = readFileSync(new URL('../styles/tokens.css', import.meta.url), 'utf8');
/** @type {Map<string, [string, string]>} */
const tokens = new Map();
for (const [, name, light, dark] of css.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]+),\s*(#[0-9a-f]+)\)/g)) tokens.set(name, [light, dark]);
// What colour a kind has is a token where something else has it too.
for (const [, kind, rule] of css.matchAll(/\[data-kind="(\w+)"\] \{(.*)\}/g)) {
  for (const [, own, light, dark] of rule.matchAll(/--tint(-ground)?: light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)/g)) tokens.set(`kind-${kind}${own ?? ''}`, [light, dark]);
}

/** WCAG 2 relative luminance. @param {string} hex */
function luminance(hex) {
  const full = hex.length === 4 ? hex.replace(/[0-9a-f]/g, '$&$&') : hex;
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(full.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} a @param {string} b */
function contrast(a, b) {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
}

const GROUNDS = ['bg', 'surface', 'raised', 'inset', 'hover', 'active', 'selected', 'selected-hover'];
const KINDS = ['image', 'video', 'audio', 'text', 'model', 'font', 'archive', 'binary'];
/** @type {[string, string[], number][]} colour, grounds, least contrast */
const PAIRS = [
  ['text', [...GROUNDS, 'stage', 'hit', 'accent-soft', 'ok-soft', 'warn-soft', 'bad-soft'], 4.5],
  ['text-2', [...GROUNDS, 'stage'], 4.5],
  ['text-3', ['bg', 'surface', 'raised', 'inset', 'hover'], 4.5],
  ['accent-text', [...GROUNDS, 'accent-soft'], 4.5],
  ['on-accent', ['accent', 'accent-hover'], 4.5],
  ['accent', ['bg', 'surface', 'raised', 'selected'], 3],
  ['focus', [...GROUNDS, 'stage'], 3],
  ['line-strong', ['bg', 'surface', 'raised'], 3],
  ['ok', ['surface', 'raised', 'ok-soft'], 4.5],
  ['warn', ['surface', 'raised', 'warn-soft'], 4.5],
  ['bad', ['surface', 'raised', 'bad-soft'], 4.5],
  ...KINDS.map((kind) => /** @type {[string, string[], number]} */ ([`kind-${kind}`, [`kind-${kind}-ground`, 'surface'], 4.5])),
  // On rows under the pointer and selected ones only the glyph is tinted.
  ...KINDS.map((kind) => /** @type {[string, string[], number]} */ ([`kind-${kind}`, ['hover', 'selected', 'selected-hover'], 3])),
];

describe('contrast', () => {
  ['light', 'dark'].forEach((theme, i) => {
    it(`holds for every pair in the ${theme} theme`, () => {
      const weak = [];
      for (const [colour, grounds, least] of PAIRS) {
        for (const ground of grounds) {
          const [a, b] = [tokens.get(colour), tokens.get(ground)];
          assert.ok(a && b, `${colour} and ${ground} are tokens`);
          const ratio = contrast(a[i], b[i]);
          if (ratio < least) weak.push(`${colour} on ${ground}: ${ratio.toFixed(2)} < ${least}`);
        }
      }
      assert.deepEqual(weak, []);
    });
  });
});
