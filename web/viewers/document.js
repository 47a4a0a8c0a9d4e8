// Markdown as the server took it apart: a tree of known tags, made into elements one by one. Alone, or beside its source.

import { api } from '../api.js';
import { h, set, visibleName } from '../lib/html.js';
import { takeFocus } from './shared.js';
import { open as openText } from './text.js';

const TAGS = new Set('h1 h2 h3 h4 h5 h6 p ul ol li blockquote pre code em strong del a hr br table thead tbody tr th td input sup'.split(' '));
const DEPTH_MAX = 100;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const page = await drawn(stage);
  stage.box.append(page);
  takeFocus(page);
}

/** @param {import('../components/viewer.js').Stage} stage */
export async function openBeside(stage) {
  const source = h('div.half');
  stage.box.append(h('div.halves', h('div.half', await drawn(stage)), source));
  return openText({ ...stage, box: source });
}

/** @param {import('../components/viewer.js').Stage} stage */
async function drawn({ asset, signal, notice }) {
  const { nodes, complete, message } = await api.document(asset.id, signal);
  if (complete === false) notice(message ?? 'Only the beginning of this document is rendered; its text has all of it.');
  const page = h('article.reading.scrolls#document-content', { tabindex: 0, label: visibleName(asset.filename), onclick: follow }, nodes.map((node) => build(node, 0)));
  const headings = [...page.querySelectorAll('h1, h2, h3, h4, h5, h6')];
  /** @param {MouseEvent} event */
  function follow(event) {
    const href = event.target.closest('a')?.getAttribute('href') ?? '';
    if (!href.startsWith('#')) return;
    event.preventDefault();
    const wanted = slug(decodeURIComponent(href.slice(1)));
    headings.find(({ textContent }) => slug(textContent) === wanted)?.scrollIntoView();
  }
  return page;
}

/** @param {string} text */
function slug(text) {
  return text.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
}

/** @param {import('../api.js').DocumentNode} node @param {number} depth @returns {Node | string} */
function build(node, depth) {
  if (typeof node === 'string') return node;
  const [tag, { checked, href, start, align }, children] = node;
  const inside = depth < DEPTH_MAX ? children.map((child) => build(child, depth + 1)) : [];
  if (!TAGS.has(tag)) return h('span', inside);
  if (tag === 'input') return h('input', { type: 'checkbox', disabled: true, checked: checked === true || checked === '', label: 'Done' });
  const element = h(tag, inside);
  // The server sends only these; a page that believes it without looking has one fence less.
  if (tag === 'a' && /^(?:https?:|mailto:|#)/i.test(href)) set(element, href.startsWith('#') ? { href } : { href, target: '_blank', rel: 'noopener noreferrer', title: href });
  if (tag === 'ol' && Number.isInteger(start)) element.start = start;
  if (/^t[hd]$/.test(tag) && /^(left|right|center)$/.test(align)) element.style.textAlign = align;
  // Wide tables and code scroll in a box of their own.
  if (tag === 'table' || tag === 'pre') return h('div.wide', { tabindex: 0, role: 'group', label: tag === 'table' ? 'Table' : 'Code' }, element);
  return element;
}
