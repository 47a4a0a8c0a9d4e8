// The tree of places: projects and their collections, loaded as they are opened. Focus alone opens no place, Enter does.

import { byId, count as grouped, differs, h, hasFocus, icon, pieceNodes, remPx, set, visibleName } from '../lib/html.js';
import { treeRows, typeAhead } from '../lib/tree_model.js';
import { clamp, reveal, visibleRows } from '../lib/virtual_window.js';
import { nameField } from './name_field.js';

const DEPTH_DRAWN_MOST = 10;
const BUFFER_MS = 800;
const DROP_OPENS_MS = 600;

/** @param {import('../state.js').Places} places @param {(to: {kind: any, id: number}) => void} went somebody goes to a place, or made one */
export function placesTree(places, went) {
  /** @type {Set<string>} */
  const open = new Set();
  /** @type {Set<number>} projects whose collections could not be loaded */
  const failed = new Set();
  let current = 'home';
  let focused = 'home';
  /** Where a drag is. @type {string | null} */
  let hovered = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let hoverTimer;
  /** @type {import('../lib/tree_model.js').TreeRow[]} */
  let rows = [];
  /** @type {Map<string, HTMLElement>} */
  const drawn = new Map();
  /** @type {{after: string, field: ReturnType<typeof nameField>} | null} */
  let naming = null;
  let buffer = { text: '', at: 0 };
  /** What has a height that counts. */
  const sizes = new ResizeObserver(draw);
  const box = byId('tree-box');
  const tree = byId('tree');

  function pitchNow() {
    return matchMedia('(pointer: coarse)').matches ? 44 : remPx(1.75);
  }

  /** @param {string | null | undefined} key */
  function find(key) {
    return rows.find((row) => row.key === key);
  }

  /** The place shown in main; its ancestors open. @param {string} key @param {string[]} ancestors */
  function showPlace(key, ancestors) {
    const moved = key !== current;
    current = key;
    for (const ancestor of ancestors) expand(ancestor);
    if (moved && key) focused = key;
    const there = !moved && drawn.has(key);
    draw();
    if (!there) revealPlace(key);
  }

  /** @param {string} key */
  function expand(key) {
    open.add(key);
    const [kind, id] = key.split('/');
    if (kind !== 'p') return;
    const project = Number(id);
    failed.delete(project);
    places.branch(project).catch(() => {
      failed.add(project);
      draw();
    });
  }

  /** @param {string} key */
  function toggle(key) {
    if (!open.delete(key)) expand(key);
    draw();
  }

  function draw() {
    const pitch = pitchNow();
    rows = treeRows({
      projects: places.projects,
      children: (projectId, parentId) => places.children(projectId, parentId),
      open,
      loaded: (projectId) => places.branches.has(projectId),
      failed,
    });
    if (!find(focused)) focused = current;
    const gapAfter = naming ? rows.findIndex(({ key }) => key === naming.after) : -1;
    const gap = naming && gapAfter >= 0 ? naming.field.element.offsetHeight : 0;
    const { first, last } = visibleRows({ offset: box.scrollTop - gap, viewport: box.clientHeight + gap, pitch, rows: rows.length, overscan: 10 });
    const wanted = new Set();
    rows.forEach((row, i) => {
      if ((i < first || i > last) && row.key !== focused) return;
      wanted.add(row.key);
      drawRow(row, i * pitch + (i > gapAfter ? gap : 0), pitch);
    });
    for (const [key, element] of drawn) {
      if (wanted.has(key)) continue;
      element.remove();
      drawn.delete(key);
    }
    tree.style.height = `${rows.length * pitch + gap}px`;
    set(tree, { activedescendant: idOf(focused) });
    if (naming && gapAfter >= 0) {
      Object.assign(naming.field.element.style, { top: `${(gapAfter + 1) * pitch + 6}px`, left: `${6 + Math.min(rows[gapAfter].level, DEPTH_DRAWN_MOST) * 14}px` });
    }
  }

  /** @param {import('../lib/tree_model.js').TreeRow} row @param {number} top @param {number} pitch */
  function drawRow({ key, kind, name, level, setSize, position, count, expandable, expanded, busy, failed }, top, pitch) {
    /** @type {any} */
    let element = drawn.get(key);
    if (!element) {
      element = h(`div#${idOf(key)}`, { role: 'treeitem', 'data-place': key });
      drawn.set(key, element);
      tree.append(element);
    }
    element.style.top = `${top}px`;
    element.style.setProperty('--place-row', `${pitch}px`);
    element.style.setProperty('--depth', Math.min(level, DEPTH_DRAWN_MOST) - 1);
    const isCurrent = key === current;
    element.className = ['place', isCurrent && 'current', key === focused && 'focused', failed && 'failed', key === hovered && 'drop'].filter(Boolean).join(' ');
    set(element, {
      'aria-level': level, 'aria-setsize': setSize, 'aria-posinset': position, selected: isCurrent, current: isCurrent ? 'page' : null,
      expanded: expandable ? expanded : null, busy,
    });
    if (!differs(element, name, count, expandable, busy, failed)) return;
    element.title = visibleName(name);
    /** @param {string} text */
    const hidden = (text) => h('span.visually-hidden', text);
    element.replaceChildren(
      h('span.twist', busy ? h('span.spinner') : expandable && icon('chevron')),
      h('span.glyph', icon(kind === 'home' ? 'seal' : kind)),
      h('bdi.label.one-line', pieceNodes(name)),
      h('span.count', failed ? 'Retry' : count > 0 && [hidden(', '), grouped(count), hidden(count === 1 ? ' asset' : ' assets')]),
      // For the pointer; the keyboard has Alt+N, and a tree item must not hold other controls.
      kind === 'home' ? '' : h('button.plain.plus', { tabindex: -1, 'aria-hidden': true, title: 'New collection here' }, icon('add')));
  }

  /** @param {string} key */
  function revealPlace(key) {
    const at = rows.findIndex((row) => row.key === key);
    if (at < 0) return;
    const pitch = pitchNow();
    box.scrollTop = reveal({ offset: box.scrollTop, viewport: box.clientHeight, top: at * pitch, height: pitch, padEnd: pitch });
    draw();
  }

  /** @param {string} key */
  function focusOn(key) {
    focused = key;
    draw();
    revealPlace(key);
  }

  /** @param {any} event */
  function onClick({ target }) {
    const row = find(target.closest('[data-place]')?.dataset.place);
    if (!row) return;
    focused = row.key;
    if (target.closest('.plus')) nameIn(row.key);
    else if (row.failed) {
      expand(row.key);
      draw();
    } else if (row.expandable && target.closest('.twist')) toggle(row.key);
    else go(row);
  }

  /** @param {import('../lib/tree_model.js').TreeRow} row */
  function go({ key, expandable, kind, id }) {
    if (key === current && expandable) toggle(key);
    draw();
    went({ kind, id });
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.target !== tree || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = Math.max(0, rows.findIndex(({ key }) => key === focused));
    const row = rows[at];
    const { key, expandable, expanded, parent } = row;
    /** @param {number} index */
    const to = (index) => focusOn(rows[clamp(index, 0, rows.length - 1)].key);
    const enter = () => go(row);
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowDown: () => to(at + 1),
      ArrowUp: () => to(at - 1),
      Home: () => to(0),
      End: () => to(rows.length - 1),
      ArrowRight() {
        if (expanded) to(at + 1);
      },
      ArrowLeft: () => parent && focusOn(parent),
      Enter: enter,
      ' ': enter,
      '*': () => {
        for (const sibling of rows) if (sibling.parent === parent && sibling.expandable) expand(sibling.key);
        draw();
      },
    };
    if (event.key === (expanded ? 'ArrowLeft' : expandable && 'ArrowRight')) toggle(key);
    else if (acts[event.key]) acts[event.key]();
    else if (event.key.length === 1 && /[\p{L}\p{N}]/u.test(event.key)) {
      buffer = { text: event.timeStamp - buffer.at < BUFFER_MS ? buffer.text + event.key : event.key, at: event.timeStamp };
      const { text } = buffer;
      const found = typeAhead(rows, text.length === 1 ? at + 1 : at, text);
      if (found >= 0) to(found);
    } else return;
    event.preventDefault();
  }

  /** Opens the field for a new project ("home") or a new collection inside a row. @param {string} key */
  function nameIn(key) {
    stopNaming();
    const row = find(key);
    if (!row) return;
    const kind = row.kind === 'home' ? 'project' : 'collection';
    if (row.expandable && !row.expanded) toggle(key);
    const field = nameField({
      label: `Name of the ${kind}`,
      create: async (name) => {
        const { id } = kind === 'project'
          ? await places.createProject(name)
          : await places.createCollection(row.projectId, row.kind === 'project' ? null : row.id, name);
        if (kind !== 'project') expand(key);
        stopNaming();
        went({ kind, id });
      },
      cancel: stopNaming,
    });
    naming = { after: key, field };
    box.append(field.element);
    draw();
    revealPlace(key);
    sizes.observe(field.element);
    field.input.focus();
  }

  function stopNaming() {
    if (!naming) return;
    const { element } = naming.field;
    naming = null;
    const hadFocus = hasFocus(element);
    sizes.unobserve(element);
    element.remove();
    if (hadFocus) tree.focus({ preventScroll: true });
    draw();
  }

  /** A drag rests over a row: mark it, and open it after a while. @param {string | null} key */
  function hover(key) {
    if (key === hovered) return;
    clearTimeout(hoverTimer);
    hovered = key;
    draw();
    if (!key) return;
    hoverTimer = setTimeout(() => {
      const row = find(key);
      if (row?.expandable && !row.expanded) toggle(key);
    }, DROP_OPENS_MS);
  }

  places.on('change', draw);
  set(box, { onscroll: draw });
  sizes.observe(box);
  set(tree, { onfocus: draw, onkeydown: onKey, onclick: onClick });
  draw();

  return {
    show: showPlace,
    name: nameIn,
    hover,
    /** The key of the row that the keys are at, where they are here at all. */
    get focused() {
      return document.activeElement === tree ? focused : null;
    },
  };
}

/** Of the element of a row. @param {string} key */
function idOf(key) {
  return `place-${key.replace('/', '-')}`;
}
