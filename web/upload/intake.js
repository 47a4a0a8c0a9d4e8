// From a drop to running uploads: walks what was dropped, says what was found and asks for the one word that archives it, makes
// the collections it needs and hands the files to the session. What it asks is drawn by the upload panel.

import { walk } from './collect.js';
import { BEAT_MS, forgetBatch, keepBatch, leftBatches, reopened, tabId } from './kept.js';
import { KnownFiles } from './known.js';
import { makePlan, questions } from './plan.js';
import { Emitter } from '../lib/emitter.js';

/**
 * @typedef {import('./plan.js').Target} Target
 * @typedef {import('./collect.js').Collected} Collected
 * @typedef {{project: string | null, collection: string | null, place: string, files: number, bytes: number,
 *   unreadable: import('./collect.js').Found[], known: KnownFiles}} Question project, collection: null where they need not be
 *   asked, else the name offered
 * @typedef {{state: 'idle'} | {state: 'looking', found: number} | {state: 'asking', question: Question, error: string}
 *   | {state: 'preparing'} | {state: 'failed', message: string} | {state: 'left', batch: import('./kept.js').Batch, error: string}} Phase
 */

/** Fires `change` when `phase` did, and `started` with the place the files go to. */
export class Intake extends Emitter {
  /** @type {Phase} */
  phase = { state: 'idle' };
  /** @type {((answer: {project: string, collection: string} | null) => void) | null} */
  answer = null;
  /** @type {Promise<void>} one drop after the other: two questions at once would be one too many */
  turn = Promise.resolve();
  /** Begun here and not ended, with what is in them. @type {(Omit<import('./kept.js').Batch, 'seen' | 'files' | 'bytes'> & {items: import('./session.js').Item[]})[]} */
  batches = [];

  /** @param {{session: import('./session.js').UploadSession, places: import('../state.js').Places}} parts */
  constructor({ session, places }) {
    super();
    this.session = session;
    this.places = places;
    setInterval(() => this.beat(), BEAT_MS);
    // Whoever reloads at once must not be told that something is left.
    session.on('finished', () => this.beat());
  }

  /** @param {Target} target @param {ReturnType<typeof import('./collect.js').takeNow>} taken */
  drop(target, taken) {
    return this.enqueue(target, () => walk(taken, (found) => this.become('looking', { found })), taken.handles);
  }

  /** @param {Target} target @param {Collected} collected */
  choose(target, collected) {
    return this.enqueue(target, () => collected, []);
  }

  /** @param {Target} target @param {() => Collected | Promise<Collected>} collect @param {any[]} handles */
  enqueue(target, collect, handles) {
    this.turn = this.turn.then(() => this.take(target, collect, handles)).catch(({ message }) => this.become('failed', { message }));
    return this.turn;
  }

  /** @param {Target} target @param {() => Collected | Promise<Collected>} collect @param {any[]} handles */
  async take(target, collect, handles) {
    this.become('looking', { found: 0 });
    this.session.hasher.warm();
    const collected = await collect();
    const { files, emptyFolders } = collected;
    if (files.length + emptyFolders.length === 0) {
      this.become('idle');
      return;
    }
    const ask = questions(target, collected);
    const known = new KnownFiles(this.session.hasher);
    /** @type {Question} */
    const question = {
      project: ask.project ? 'Archive' : null,
      collection: ask.collection ? 'Files' : null,
      place: this.nameOf(target),
      files: files.length,
      bytes: files.reduce((sum, found) => sum + (found.file?.size ?? 0), 0),
      unreadable: files.filter((found) => found.error),
      known,
    };
    void this.check(target, collected, known);
    for (let error = ''; ; ) {
      /** @type {{project: string, collection: string} | null} */
      const answer = await new Promise((resolve) => {
        this.answer = resolve;
        this.become('asking', { question, error });
      });
      this.answer = null;
      known.stop();
      if (answer === null) {
        this.become('idle');
        return;
      }
      for (const key of ['project', 'collection']) if (question[key] !== null) question[key] = answer[key];
      try {
        await this.start(target, collected, { ...answer, place: question.place, handles }, known);
        return;
      } catch (problem) {
        error = problem.message;
      }
    }
  }

  /** @param {Target} target */
  nameOf(target) {
    return this.places.get(target)?.name ?? 'this vault';
  }

  /** Looks for what is there already, in the places that are. @param {Target} target @param {Collected} collected @param {KnownFiles} known */
  async check(target, collected, known) {
    if (target.kind === 'home') return;
    try {
      const { steps } = makePlan(target, collected, '');
      if (target.kind === 'project') await this.places.branch(target.id);
      const roots = target.kind === 'project' ? new Map(this.places.children(target.id, null).map(({ name, id }) => [name, id])) : null;
      const placed = steps.map(({ root, prefix, found }) => ({ found, prefix, collectionId: roots ? roots.get(root) ?? 0 : target.id }));
      await known.check(placed.filter(({ collectionId }) => collectionId > 0));
    } catch {
      // Not to know costs sending what is there already, and nothing else.
    }
  }

  /** @param {Target} target @param {Collected} collected @param {{project: string, collection: string, place: string, handles: any[]}} how @param {KnownFiles} known */
  async start(target, collected, { project, collection, place, handles }, known) {
    this.become('preparing');
    const { places, session } = this;
    const projectId = target.kind === 'home' ? (await places.createProject(project)).id : target.projectId ?? target.id;
    const plan = makePlan(target, collected, collection);
    /** @type {Map<string | null, number>} */
    const rootIds = new Map([[null, target.id]]);
    for (const name of plan.roots) rootIds.set(name, (await places.createCollection(projectId, null, name)).id);
    const first = session.found;
    session.add(plan.steps.map(({ root, prefix, found }) => ({ found, prefix, collectionId: rootIds.get(root) })), {
      isNew(id) {
        const there = places.collection(id);
        return !there || there.assets + there.collections === 0;
      },
    });
    session.skip(known.already);
    known.on('found', () => session.skip(known.already));
    this.batches.push({ id: `${tabId()}/${Date.now()}`, tab: tabId(), items: session.items.slice(first), target, project, collection, place, handles });
    this.beat();
    this.become('idle');
    this.emit('started', { target, projectId, first: plan.roots.length === 1 ? rootIds.get(plan.roots[0]) : null });
    // Empty folders are worth keeping too; they need no upload, only their collections.
    for (const { root, below } of plan.empty) {
      let parent = rootIds.get(root);
      for (const name of below) parent = (await places.createCollection(projectId, parent, name)).id;
    }
  }

  // ---- Over a reload

  /** Says that somebody is at work on these, and how much is left. */
  beat() {
    this.batches = this.batches.filter(({ items, ...batch }) => {
      const left = items.filter(({ state }) => ['waiting', 'hashing', 'receiving'].includes(state));
      if (left.length === 0) void forgetBatch(batch.id);
      else void keepBatch({ ...batch, seen: Date.now(), files: left.length, bytes: left.reduce((sum, { size, sent }) => sum + size - sent, 0) });
      return left.length > 0;
    });
  }

  /** Offers to go on with what an earlier visit left. */
  async offerLeft() {
    const [batch] = await leftBatches().catch(() => []);
    if (batch && this.phase.state === 'idle' && this.session.found === 0) this.become('left', { batch, error: '' });
  }

  /** The person's click on “Continue”. @param {import('./kept.js').Batch} batch */
  async goOn(batch) {
    const { target, handles } = batch;
    const collected = await reopened(handles).catch(() => null);
    if (!collected) {
      this.become('left', { batch, error: 'The browser did not let the files be read again.' });
      return;
    }
    const known = new KnownFiles(this.session.hasher);
    known.stop();
    try {
      await this.check(target, collected, known);
      await this.start(target, collected, batch, known);
      await forgetBatch(batch.id);
    } catch ({ message }) {
      this.become('left', { batch, error: message });
    }
  }

  /** @param {import('./kept.js').Batch} batch */
  async forget(batch) {
    await forgetBatch(batch.id);
    this.become('idle');
  }

  /** @param {Phase['state']} state @param {Record<string, any>} more */
  become(state, more = {}) {
    this.phase = { state, ...more };
    this.emit('change');
  }
}
