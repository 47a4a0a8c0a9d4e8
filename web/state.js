// What several parts of the page know together: the tree of places, the vault's status, and habits (theme, tile size).
// Each says when it changed; none draws anything.

import { api } from './api.js';
import { Emitter } from './lib/emitter.js';
import { throttled } from './lib/queue.js';

/**
 * @typedef {import('./api.js').Project} Project
 * @typedef {import('./api.js').Collection} Collection
 * @typedef {{list: Collection[], byId: Map<number, Collection>, children: Map<number, Collection[]>}} Branch children: by parent, 0 for the project itself
 */

/** Fires `change` when projects or collections did. */
export class Places extends Emitter {
  /** @type {Project[] | null} */
  projects = null;
  /** @type {Map<number, Branch>} */
  branches = new Map();
  /** @type {Map<number, Promise<Branch>>} */
  loading = new Map();
  /** @type {Set<number>} projects whose collections changed behind our back */
  stale = new Set();
  projectsStale = false;
  refreshSoon = throttled(1000, () => this.refresh());

  async loadProjects() {
    this.projects = await api.projects();
    this.emit('change');
  }

  /** @param {number} projectId @param {boolean} [fresh] @returns {Promise<Branch>} */
  branch(projectId, fresh = false) {
    const known = this.branches.get(projectId);
    if (known && !fresh) return Promise.resolve(known);
    const promise = this.loading.get(projectId) ?? api.collections(projectId)
      .then((list) => {
        const branch = branchOf(list);
        this.branches.set(projectId, branch);
        return branch;
      })
      .finally(() => {
        this.loading.delete(projectId);
        this.emit('change');
      });
    this.loading.set(projectId, promise);
    return promise;
  }

  /** A collection of which only the id is known, with the branch it is in. @param {number} id @returns {Promise<Collection>} */
  async locate(id) {
    const known = this.collection(id);
    if (known) return known;
    const found = await api.collection(id);
    await this.branch(found.project_id);
    return this.collection(id) ?? (await this.branch(found.project_id, true)).byId.get(id) ?? found;
  }

  /** @param {number} id @returns {Collection | undefined} */
  collection(id) {
    return [...this.branches.values()].find(({ byId }) => byId.has(id))?.byId.get(id);
  }

  /** @param {number} id */
  project(id) {
    return this.projects?.find((project) => project.id === id);
  }

  /** A project or a collection, where it is known. @param {{kind: string, id?: number}} what @returns {any} */
  get({ kind, id = 0 }) {
    return kind === 'project' ? this.project(id) : kind === 'collection' ? this.collection(id) : null;
  }

  /** @param {number} projectId @param {number | null} parentId @returns {Collection[]} */
  children(projectId, parentId) {
    return this.branches.get(projectId)?.children.get(parentId ?? 0) ?? [];
  }

  /** From the project down to the collection, both included. @param {Collection} collection @returns {(Project | Collection)[]} */
  pathTo(collection) {
    const project = this.project(collection.project_id);
    /** @type {(Project | Collection)[]} */
    const path = [];
    for (let at = collection; at && path.length < 1000; at = this.collection(at.parent_id)) path.unshift(at);
    return project ? [project, ...path] : path;
  }

  /** @param {string} name */
  async createProject(name) {
    const made = await api.createProject(name);
    await this.loadProjects();
    return made;
  }

  /** @param {number} projectId @param {number | null} parentId @param {string} name */
  async createCollection(projectId, parentId, name) {
    const made = await api.createCollection(projectId, parentId, name);
    await this.branch(projectId, true);
    this.projectsStale = true;
    this.refreshSoon();
    return made;
  }

  /** Something was sealed, here or elsewhere. @param {number[] | null} ids of the places touched, null where they are too many */
  touched(ids) {
    this.projectsStale = true;
    for (const [projectId, { byId }] of this.branches) {
      if (ids === null || ids.some((id) => id === projectId || byId.has(id))) this.stale.add(projectId);
    }
    this.refreshSoon();
  }

  async refresh() {
    const stale = [...this.stale];
    const projects = this.projectsStale;
    this.stale.clear();
    this.projectsStale = false;
    try {
      if (projects) await this.loadProjects();
      for (const id of stale) await this.branch(id, true);
    } catch {
      // The bar already says that the server does not answer; the next event brings this here again.
      for (const id of stale) this.stale.add(id);
      this.projectsStale ||= projects;
    }
  }
}

/** @param {Collection[]} list @returns {Branch} */
export function branchOf(list) {
  /** @type {Map<number, Collection[]>} */
  const children = new Map();
  for (const collection of list) {
    const parent = collection.parent_id ?? 0;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(collection);
  }
  return { list, byId: new Map(list.map((collection) => [collection.id, collection])), children };
}

/** The vault's figures. Fires `change`. */
export class VaultStatus extends Emitter {
  /** @type {import('./api.js').Status | null} */
  value = null;
  /** Of the vault, without its ending. */
  name = '';
  refreshSoon = throttled(2000, () => this.load().catch(() => {}));

  async load() {
    this.value = await api.status();
    this.name = this.value.vault.name.replace(/\.vault$/, '');
    this.emit('change');
  }
}

/** A verification that the server runs, here or for somebody else. Fires `change`, and `ended` when one has. */
export class Verifying extends Emitter {
  /** @type {import('./api.js').Verification | null} */
  value = null;
  error = '';

  async load() {
    this.heard(await api.verification());
  }

  /** @param {import('./api.js').Verification} value */
  heard(value) {
    const was = this.value?.state;
    // An answer may arrive after the event that says how it ended.
    if (value.state === 'running' && ['done', 'stopped'].includes(was) && this.value.started_unix_ms === value.started_unix_ms) return;
    this.value = value;
    this.emit('change');
    if (was === 'running' && value.state !== 'running') this.emit('ended');
  }

  /** Begins or ends one. @param {() => Promise<any>} tell */
  async tell(tell) {
    this.error = '';
    try {
      await tell();
      await this.load();
    } catch (error) {
      this.error = error.message;
      this.emit('change');
    }
  }

  start() {
    return this.tell(() => api.verify('full'));
  }

  stop() {
    return this.tell(api.stopVerifying);
  }
}

/** @type {Map<string, string>} */
const kept = new Map();

/** Habits outlive the page; where storage is refused they last as long as it does. */
export const habits = {
  /** @param {string} key @param {string} usual */
  get(key, usual) {
    try {
      return localStorage.getItem(`cv-${key}`) ?? usual;
    } catch {
      return kept.get(key) ?? usual;
    }
  },
  /** @param {string} key @param {string} value */
  set(key, value) {
    kept.set(key, value);
    try {
      localStorage.setItem(`cv-${key}`, value);
    } catch {
      // Private windows and full disks: the habit lasts until the page closes.
    }
  },
};

export const THEMES = ['system', 'light', 'dark'];

/** @param {string} theme one of THEMES; the server reads the cookie and stamps it on <html>, so the first paint is right */
export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.cookie = `cv-theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
}

export function currentTheme() {
  const { theme } = document.documentElement.dataset;
  return THEMES.includes(theme) ? theme : 'system';
}
