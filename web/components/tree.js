// The tree of places: projects and their collections, loaded as they are opened. Focus alone opens no place, Enter does.

import { Emitter } from '../lib/emitter.js';
import { byId, count as grouped, differs, h, hasFocus, icon, pieceNodes, remPx, set, visibleName } from '../lib/html.js';
import { treeRows, typeAhead } from '../lib/tree_model.js';
import { clamp, reveal, visibleRows } from '../lib/virtual_window.js';
import { nameField } from './name_field.js';

const DEPTH_DRAWN_MOST = 10;
const BUFFER_MS = 800;
const DROP_OPENS_MS = 600;

/** Fires `go` {kind, id}, `made` {kind, id}. */
export class Tree extends Emitter {
  /** @type {Set<string>} */
  open = new Set();
  /** @type {Set<number>} projects whose collections could not be loaded */
  failed = new Set();
  current = 'home';
  focused = 'home';
  /** @type {import('../lib/tree_model.js').TreeRow[]} */
  rows = [];
  /** @type {Map<string, HTMLElement>} */
  drawn = new Map();
  /** @type {{after: string, field: ReturnType<typeof nameField>} | null} */
  naming = null;
  buffer = { text: '', at: 0 };
  /** What has a height that counts. */
  sizes = new ResizeObserver(() => this.draw());

  box = byId('tree-box');
  element = byId('tree');

  /** @param {import('../state.js').Places} places */
  constructor(places) {
    super();
    this.places = places;
    const draw = () => this.draw();
    places.on('change', draw);
    set(this.box, { onscroll: draw });
    this.sizes.observe(this.box);
    set(this.element, { onfocus: draw, onkeydown: (event) => this.onKey(event), onclick: (event) => this.onClick(event) });
    this.draw();
  }

  get pitch() {
    return matchMedia('(pointer: coarse)').matches ? 44 : remPx(1.75);
  }

  /** @param {string | null | undefined} key */
  find(key) {
    return this.rows.find((row) => row.key === key);
  }

  /** The place shown in main; its ancestors open. @param {string} key @param {string[]} ancestors */
  show(key, ancestors) {
    const moved = key !== this.current;
    this.current = key;
    for (const ancestor of ancestors) this.expand(ancestor);
    if (moved && key) this.focused = key;
    const there = !moved && this.drawn.has(key);
    this.draw();
    if (!there) this.reveal(key);
  }

  /** @param {string} key */
  expand(key) {
    this.open.add(key);
    const [kind, id] = key.split('/');
    if (kind !== 'p') return;
    this.failed.delete(Number(id));
    this.places.branch(Number(id)).catch(() => {
      this.failed.add(Number(id));
      this.draw();
    });
  }

  /** @param {string} key */
  toggle(key) {
    if (!this.open.delete(key)) this.expand(key);
    this.draw();
  }

  draw() {
    const { places, naming, box, pitch } = this;
    this.rows = treeRows({
      projects: places.projects,
      children: (projectId, parentId) => places.children(projectId, parentId),
      open: this.open,
      loaded: (projectId) => places.branches.has(projectId),
      failed: this.failed,
    });
    const { rows } = this;
    if (!this.find(this.focused)) this.focused = this.current;
    const gapAfter = naming ? rows.findIndex(({ key }) => key === naming.after) : -1;
    const gap = naming && gapAfter >= 0 ? naming.field.element.offsetHeight : 0;
    const { first, last } = visibleRows({ offset: box.scrollTop - gap, viewport: box.clientHeight + gap, pitch, rows: rows.length, overscan: 10 });
    const wanted = new Set();
    rows.forEach((row, i) => {
      if ((i < first || i > last) && row.key !== this.focused) return;
      wanted.add(row.key);
      this.drawRow(row, i * pitch + (i > gapAfter ? gap : 0), pitch);
    });
    for (const [key, element] of this.drawn) {
      if (wanted.has(key)) continue;
      element.remove();
      this.drawn.delete(key);
    }
    this.element.style.height = `${rows.length * pitch + gap}px`;
    set(this.element, { activedescendant: idOf(this.focused) });
    if (naming && gapAfter >= 0) {
      Object.assign(naming.field.element.style, { top: `${(gapAfter + 1) * pitch + 6}px`, left: `${6 + Math.min(rows[gapAfter].level, DEPTH_DRAWN_MOST) * 14}px` });
    }
  }

  /** @param {import('../lib/tree_model.js').TreeRow} row @param {number} top @param {number} pitch */
  drawRow({ key, kind, name, level, setSize, position, count, expandable, expanded, busy, failed }, top, pitch) {
    /** @type {any} */
    let element = this.drawn.get(key);
    if (!element) {
      element = h(`div#${idOf(key)}`, { role: 'treeitem', 'data-place': key });
      this.drawn.set(key, element);
      this.element.append(element);
    }
    element.style.top = `${top}px`;
    element.style.setProperty('--place-row', `${pitch}px`);
    element.style.setProperty('--depth', Math.min(level, DEPTH_DRAWN_MOST) - 1);
    const current = key === this.current;
    element.className = ['place', current && 'current', key === this.focused && 'focused', failed && 'failed', key === this.hovered && 'drop'].filter(Boolean).join(' ');
    set(element, {
      'aria-level': level, 'aria-setsize': setSize, 'aria-posinset': position, selected: current, current: current ? 'page' : null,
      expanded: expandable ? expanded : null, busy: busy,
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
  reveal(key) {
    const at = this.rows.findIndex((row) => row.key === key);
    if (at < 0) return;
    const { box, pitch } = this;
    box.scrollTop = reveal({ offset: box.scrollTop, viewport: box.clientHeight, top: at * pitch, height: pitch, padEnd: pitch });
    this.draw();
  }

  /** @param {string} key */
  focusOn(key) {
    this.focused = key;
    this.draw();
    this.reveal(key);
  }

  /** @param {any} event */
  onClick({ target }) {
    const row = this.find(target.closest('[data-place]')?.dataset.place);
    if (!row) return;
    this.focused = row.key;
    if (target.closest('.plus')) this.name(row.key);
    else if (row.failed) {
      this.expand(row.key);
      this.draw();
    } else if (row.expandable && target.closest('.twist')) this.toggle(row.key);
    else this.go(row);
  }

  /** @param {import('../lib/tree_model.js').TreeRow} row */
  go({ key, expandable, kind, id }) {
    if (key === this.current && expandable) this.toggle(key);
    this.draw();
    this.emit('go', { kind, id });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const { rows } = this;
    const at = Math.max(0, rows.findIndex(({ key }) => key === this.focused));
    const row = rows[at];
    const { key, expandable, expanded, parent } = row;
    /** @param {number} index */
    const to = (index) => this.focusOn(rows[clamp(index, 0, rows.length - 1)].key);
    const go = () => this.go(row);
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowDown: () => to(at + 1),
      ArrowUp: () => to(at - 1),
      Home: () => to(0),
      End: () => to(rows.length - 1),
      ArrowRight() {
        if (expanded) to(at + 1);
      },
      ArrowLeft: () => parent && this.focusOn(parent),
      Enter: go,
      ' ': go,
      '*': () => {
        for (const sibling of rows) if (sibling.parent === parent && sibling.expandable) this.expand(sibling.key);
        this.draw();
      },
    };
    if (event.key === (expanded ? 'ArrowLeft' : expandable && 'ArrowRight')) this.toggle(key);
    else if (acts[event.key]) acts[event.key]();
    else if (event.key.length === 1 && /[\p{L}\p{N}]/u.test(event.key)) {
      this.buffer = { text: event.timeStamp - this.buffer.at < BUFFER_MS ? this.buffer.text + event.key : event.key, at: event.timeStamp };
      const { text } = this.buffer;
      const found = typeAhead(rows, text.length === 1 ? at + 1 : at, text);
      if (found >= 0) to(found);
    } else return;
    event.preventDefault();
  }

  /** Opens the field for a new project ("home") or a new collection inside a row. @param {string} key */
  name(key) {
    this.stopNaming();
    const row = this.find(key);
    if (!row) return;
    const kind = row.kind === 'home' ? 'project' : 'collection';
    if (row.expandable && !row.expanded) this.toggle(key);
    const field = nameField({
      label: `Name of the ${kind}`,
      create: async (name) => {
        const { id } = kind === 'project'
          ? await this.places.createProject(name)
          : await this.places.createCollection(row.projectId, row.kind === 'project' ? null : row.id, name);
        if (kind !== 'project') this.expand(key);
        this.stopNaming();
        this.emit('made', { kind, id });
      },
      cancel: () => this.stopNaming(),
    });
    this.naming = { after: key, field };
    this.box.append(field.element);
    this.draw();
    this.reveal(key);
    this.sizes.observe(field.element);
    field.input.focus();
  }

  stopNaming() {
    if (!this.naming) return;
    const { element } = this.naming.field;
    this.naming = null;
    const hadFocus = hasFocus(element);
    this.sizes.unobserve(element);
    element.remove();
    if (hadFocus) this.element.focus({ preventScroll: true });
    this.draw();
  }

  /** A drag rests over a row: mark it, and open it after a while. @param {string | null} key */
  hover(key) {
    if (key === this.hovered) return;
    clearTimeout(this.hoverTimer);
    this.hovered = key;
    this.draw();
    if (!key) return;
    this.hoverTimer = setTimeout(() => {
      const row = this.find(key);
      if (row?.expandable && !row.expanded) this.toggle(key);
    }, DROP_OPENS_MS);
  }
}

/** Of the element of a row. @param {string} key */
function idOf(key) {
  return `place-${key.replace('/', '-')}`;
}
