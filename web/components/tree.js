// The tree of places: projects and their collections, loaded as they are opened. Focus alone opens no place, Enter does.

import { count as grouped, visibleName, visiblePieces } from '../lib/format.js';
import { h, icon } from '../lib/html.js';
import { treeRows, typeAhead } from '../lib/tree_model.js';
import { nameField } from './name_field.js';

const DEPTH_DRAWN_MOST = 10;
const BUFFER_MS = 800;
const DROP_OPENS_MS = 600;

/** Fires `go` {kind, id}, `made` {kind, id}. */
export class Tree extends EventTarget {
  /** @param {{box: HTMLElement, element: HTMLElement, places: import('../state.js').Places}} parts */
  constructor({ box, element, places }) {
    super();
    this.box = box;
    this.element = element;
    this.places = places;
    /** @type {Set<string>} */
    this.open = new Set();
    /** @type {Set<number>} projects whose collections could not be loaded */
    this.failed = new Set();
    this.current = 'home';
    this.focused = 'home';
    /** @type {import('../lib/tree_model.js').TreeRow[]} */
    this.rows = [];
    /** @type {Map<string, HTMLElement>} */
    this.drawn = new Map();
    /** @type {{after: string, field: ReturnType<typeof nameField>} | null} */
    this.naming = null;
    this.buffer = { text: '', at: 0 };
    places.addEventListener('change', () => this.draw());
    box.addEventListener('scroll', () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
    element.addEventListener('keydown', (event) => this.onKey(event));
    element.addEventListener('click', (event) => this.onClick(event));
    element.addEventListener('focus', () => this.draw());
    this.draw();
  }

  pitch() {
    return matchMedia('(pointer: coarse)').matches ? 44 : Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * 1.75);
  }

  /** The place shown in main; its ancestors open. @param {string} key @param {string[]} ancestors */
  show(key, ancestors) {
    const moved = key !== this.current;
    this.current = key;
    for (const ancestor of ancestors) this.expand(ancestor);
    if (!moved && this.drawn.has(key)) {
      this.draw();
      return;
    }
    if (moved && key) this.focused = key;
    this.draw();
    this.reveal(key);
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
    if (this.open.has(key)) this.open.delete(key);
    else this.expand(key);
    this.draw();
  }

  draw() {
    const { places } = this;
    this.rows = treeRows({
      projects: places.projects,
      children: (projectId, parentId) => places.children(projectId, parentId),
      open: this.open,
      loaded: (projectId) => places.branches.has(projectId),
      failed: this.failed,
    });
    if (!this.rows.some((row) => row.key === this.focused)) this.focused = this.current;
    const pitch = this.pitch();
    const gapAfter = this.naming ? this.rows.findIndex((row) => row.key === this.naming?.after) : -1;
    const gap = this.naming && gapAfter >= 0 ? this.naming.field.element.offsetHeight : 0;
    const first = Math.max(0, Math.floor((this.box.scrollTop - gap) / pitch) - 10);
    const last = Math.min(this.rows.length - 1, Math.ceil((this.box.scrollTop + this.box.clientHeight) / pitch) + 10);
    const wanted = new Set();
    for (let i = 0; i < this.rows.length; i += 1) {
      const row = this.rows[i];
      if ((i < first || i > last) && row.key !== this.focused) continue;
      wanted.add(row.key);
      this.drawRow(row, i * pitch + (gapAfter >= 0 && i > gapAfter ? gap : 0), pitch);
    }
    for (const [key, element] of this.drawn) {
      if (wanted.has(key)) continue;
      element.remove();
      this.drawn.delete(key);
    }
    this.element.style.height = `${this.rows.length * pitch + gap}px`;
    this.element.setAttribute('aria-activedescendant', `place-${this.focused.replace('/', '-')}`);
    if (this.naming && gapAfter >= 0) {
      const level = this.rows[gapAfter].level;
      const { style } = this.naming.field.element;
      style.top = `${(gapAfter + 1) * pitch + 6}px`;
      style.left = `${6 + Math.min(level, DEPTH_DRAWN_MOST) * 14}px`;
    }
  }

  /** @param {import('../lib/tree_model.js').TreeRow} row @param {number} top @param {number} pitch */
  drawRow(row, top, pitch) {
    let element = this.drawn.get(row.key);
    if (!element) {
      element = h('div.place', { role: 'treeitem', id: `place-${row.key.replace('/', '-')}`, testid: 'place', 'data-place': row.key });
      this.drawn.set(row.key, element);
      this.element.append(element);
    }
    element.style.top = `${top}px`;
    element.style.setProperty('--place-row', `${pitch}px`);
    element.style.setProperty('--depth', String(Math.min(row.level, DEPTH_DRAWN_MOST) - 1));
    element.classList.toggle('current', row.key === this.current);
    element.classList.toggle('focused', row.key === this.focused);
    element.classList.toggle('failed', row.failed);
    const state = { 'aria-level': row.level, 'aria-setsize': row.setSize, 'aria-posinset': row.position };
    for (const [name, value] of Object.entries(state)) element.setAttribute(name, String(value));
    element.setAttribute('aria-selected', String(row.key === this.current));
    if (row.key === this.current) element.setAttribute('aria-current', 'page');
    else element.removeAttribute('aria-current');
    if (row.expandable) element.setAttribute('aria-expanded', String(row.expanded));
    else element.removeAttribute('aria-expanded');
    element.setAttribute('aria-busy', String(row.busy));
    const look = JSON.stringify([row.name, row.count, row.expandable, row.busy, row.failed]);
    if (element.dataset.look === look) return;
    element.dataset.look = look;
    element.title = visibleName(row.name);
    const glyph = row.kind === 'home' ? 'seal' : row.kind === 'project' ? 'project' : 'collection';
    element.replaceChildren(...[
      h('span.twist', { 'data-twist': row.expandable }, row.busy ? h('span.spinner') : row.expandable && icon('chevron')),
      h('span.glyph', icon(glyph)),
      h('bdi.label', { dir: 'auto' }, ...visiblePieces(row.name).map((piece) => (piece.hidden ? h('span.hidden-char', piece.text) : piece.text))),
      row.failed ? h('span.count', 'Retry') : row.count > 0 && h('span.count',
        h('span.visually-hidden', ', '), grouped(row.count), h('span.visually-hidden', row.count === 1 ? ' asset' : ' assets')),
      row.kind !== 'home' && h('button', {
        // For the pointer; the keyboard has Alt+N, and a tree item must not hold other controls.
        type: 'button', class: 'plain plus', tabindex: '-1', 'aria-hidden': 'true', 'data-plus': true, testid: 'new-collection',
        title: 'New collection here',
      }, icon('add')),
    ].filter(Boolean));
  }

  /** @param {string} key */
  reveal(key) {
    const at = this.rows.findIndex((row) => row.key === key);
    if (at < 0) return;
    const pitch = this.pitch();
    const top = at * pitch;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + pitch * 2 > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + pitch * 2 - this.box.clientHeight;
    this.draw();
  }

  /** @param {string} key */
  focusOn(key) {
    this.focused = key;
    this.draw();
    this.reveal(key);
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const element = /** @type {HTMLElement | null} */ (target.closest('[data-place]'));
    const row = element && this.rows.find((candidate) => candidate.key === element.dataset.place);
    if (!row) return;
    this.focused = row.key;
    if (target.closest('[data-plus]')) this.name(row.key);
    else if (row.failed) this.toggleAgain(row.key);
    else if (target.closest('[data-twist]')) this.toggle(row.key);
    else this.go(row);
  }

  /** @param {string} key */
  toggleAgain(key) {
    this.expand(key);
    this.draw();
  }

  /** @param {import('../lib/tree_model.js').TreeRow} row */
  go(row) {
    if (row.key === this.current && row.expandable) this.toggle(row.key);
    this.draw();
    this.dispatchEvent(new CustomEvent('go', { detail: { kind: row.kind, id: row.id } }));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = Math.max(0, this.rows.findIndex((row) => row.key === this.focused));
    const row = this.rows[at];
    /** @param {number} index */
    const to = (index) => this.focusOn(this.rows[Math.min(Math.max(0, index), this.rows.length - 1)].key);
    switch (event.key) {
      case 'ArrowDown': to(at + 1); break;
      case 'ArrowUp': to(at - 1); break;
      case 'Home': to(0); break;
      case 'End': to(this.rows.length - 1); break;
      case 'ArrowRight':
        if (row.expandable && !row.expanded) this.toggle(row.key);
        else if (row.expanded) to(at + 1);
        break;
      case 'ArrowLeft':
        if (row.expanded) this.toggle(row.key);
        else if (row.parent) this.focusOn(row.parent);
        break;
      case 'Enter':
      case ' ': this.go(row); break;
      case '*':
        for (const sibling of this.rows) if (sibling.parent === row.parent && sibling.expandable) this.expand(sibling.key);
        this.draw();
        break;
      default: {
        if (event.key.length !== 1 || !/[\p{L}\p{N}]/u.test(event.key)) return;
        this.buffer = { text: event.timeStamp - this.buffer.at < BUFFER_MS ? this.buffer.text + event.key : event.key, at: event.timeStamp };
        const found = typeAhead(this.rows, this.buffer.text.length === 1 ? at + 1 : at, this.buffer.text);
        if (found >= 0) to(found);
      }
    }
    event.preventDefault();
  }

  /** Opens the field for a new project ("home") or a new collection inside a row. @param {string} key */
  name(key) {
    this.stopNaming();
    const row = this.rows.find((candidate) => candidate.key === key);
    if (!row) return;
    const home = row.kind === 'home';
    if (row.expandable && !row.expanded) this.toggle(row.key);
    const field = nameField({
      label: home ? 'Name of the project' : 'Name of the collection',
      create: async (name) => {
        const made = home
          ? await this.places.createProject(name)
          : await this.places.createCollection(row.projectId, row.kind === 'project' ? null : row.id, name);
        if (!home) this.expand(row.key);
        this.stopNaming();
        this.dispatchEvent(new CustomEvent('made', { detail: { kind: home ? 'project' : 'collection', id: made.id } }));
      },
      cancel: () => this.stopNaming(),
    });
    this.naming = { after: key, field };
    this.box.append(field.element);
    this.draw();
    this.reveal(key);
    new ResizeObserver(() => this.draw()).observe(field.element);
    field.input.focus();
  }

  stopNaming() {
    if (!this.naming) return;
    const { field } = this.naming;
    this.naming = null;
    const hadFocus = field.element.contains(document.activeElement);
    field.element.remove();
    if (hadFocus) this.element.focus({ preventScroll: true });
    this.draw();
  }

  /** A drag rests over a row: mark it, and open it after a while. @param {string | null} key */
  hover(key) {
    if (key === this.hovered) return;
    if (this.hovered) this.drawn.get(this.hovered)?.classList.remove('drop');
    clearTimeout(this.hoverTimer);
    this.hovered = key;
    if (!key) return;
    this.drawn.get(key)?.classList.add('drop');
    this.hoverTimer = setTimeout(() => {
      const row = this.rows.find((candidate) => candidate.key === key);
      if (row?.expandable && !row.expanded) this.toggle(key);
    }, DROP_OPENS_MS);
  }
}
