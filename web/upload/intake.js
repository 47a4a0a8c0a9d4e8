// From a drop to running uploads: walks what was dropped, asks where it goes if that is not clear, makes the collections it
// needs and hands the files to the session. What it asks is drawn by the upload panel.

import { walk } from './collect.js';
import { makePlan, questions } from './plan.js';

/**
 * @typedef {import('./plan.js').Target} Target
 * @typedef {{project: string | null, collection: string | null, files: number, bytes: number, unreadable: number}} Question
 *   null: need not be asked; otherwise the name offered
 * @typedef {{state: 'idle'} | {state: 'looking', found: number} | {state: 'asking', question: Question, error: string}
 *   | {state: 'preparing'} | {state: 'failed', message: string}} Phase
 */

/** Fires `change` when `phase` did, and `started` with the place the files go to. */
export class Intake extends EventTarget {
  /** @param {{session: import('./session.js').UploadSession, places: import('../state.js').Places}} parts */
  constructor({ session, places }) {
    super();
    this.session = session;
    this.places = places;
    /** @type {Phase} */
    this.phase = { state: 'idle' };
    /** @type {((answer: {project: string, collection: string} | null) => void) | null} */
    this.answer = null;
    /** @type {Promise<void>} one drop after the other: two questions at once would be one too many */
    this.turn = Promise.resolve();
  }

  /** @param {Target} target @param {ReturnType<typeof import('./collect.js').takeNow>} taken */
  drop(target, taken) {
    return this.enqueue(target, async () => walk(taken, (found) => this.become({ state: 'looking', found })));
  }

  /** @param {Target} target @param {import('./collect.js').Collected} collected */
  choose(target, collected) {
    return this.enqueue(target, async () => collected);
  }

  /** @param {Target} target @param {() => Promise<import('./collect.js').Collected>} collect */
  enqueue(target, collect) {
    this.turn = this.turn.then(() => this.take(target, collect)).catch((error) => {
      this.become({ state: 'failed', message: error.message });
    });
    return this.turn;
  }

  /** @param {Target} target @param {() => Promise<import('./collect.js').Collected>} collect */
  async take(target, collect) {
    this.become({ state: 'looking', found: 0 });
    this.session.hasher.warm();
    const collected = await collect();
    if (collected.files.length === 0 && collected.emptyFolders.length === 0) {
      this.become({ state: 'idle' });
      return;
    }
    const ask = questions(target, collected);
    let project = '';
    let collection = 'Files';
    /** @type {Question} */
    const question = {
      project: ask.project ? 'Archive' : null,
      collection: ask.collection ? 'Files' : null,
      files: collected.files.length,
      bytes: collected.files.reduce((sum, found) => sum + (found.file?.size ?? 0), 0),
      unreadable: collected.files.filter((found) => found.error).length,
    };
    for (let error = ''; ; ) {
      if (ask.project || ask.collection) {
        const answer = await new Promise((resolve) => {
          this.answer = resolve;
          this.become({ state: 'asking', question, error });
        });
        this.answer = null;
        if (answer === null) {
          this.become({ state: 'idle' });
          return;
        }
        project = answer.project;
        collection = answer.collection;
        if (question.project !== null) question.project = project;
        if (question.collection !== null) question.collection = collection;
      }
      try {
        await this.start(target, collected, project, collection);
        return;
      } catch (problem) {
        if (!ask.project && !ask.collection) throw problem;
        error = /** @type {Error} */ (problem).message;
      }
    }
  }

  /** @param {Target} target @param {import('./collect.js').Collected} collected @param {string} project @param {string} collection */
  async start(target, collected, project, collection) {
    this.become({ state: 'preparing' });
    const projectId = target.kind === 'home' ? (await this.places.createProject(project)).id
      : target.kind === 'project' ? target.id : target.projectId;
    const plan = makePlan(target, collected, collection);
    const base = target.kind === 'collection' ? target.id : null;
    /** @type {Map<string | null, number>} */
    const rootIds = new Map();
    if (base !== null) rootIds.set(null, base);
    for (const name of plan.roots) rootIds.set(name, (await this.places.createCollection(projectId, null, name)).id);
    this.session.add(plan.steps.map(({ root, prefix, found }) => ({
      found,
      prefix,
      collectionId: /** @type {number} */ (rootIds.get(root)),
    })));
    this.become({ state: 'idle' });
    const first = plan.roots.length === 1 ? /** @type {number} */ (rootIds.get(plan.roots[0])) : null;
    this.dispatchEvent(new CustomEvent('started', { detail: { target, projectId, first } }));
    // Empty folders are worth keeping too; they need no upload, only their collections.
    for (const { root, below } of plan.empty) {
      let parent = /** @type {number} */ (rootIds.get(root));
      for (const name of below) parent = (await this.places.createCollection(projectId, parent, name)).id;
    }
  }

  /** @param {Phase} phase */
  become(phase) {
    this.phase = phase;
    this.dispatchEvent(new CustomEvent('change'));
  }
}
