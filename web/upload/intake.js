// From a drop to running uploads: walks what was dropped, says what was found and asks for the one word that archives it, makes
// the collections it needs and hands the files to the session. What it asks is drawn by the upload panel.

import { walk } from './collect.js';
import { BEAT_MS, forgetBatch, keepBatch, leftBatches, reopened, tabId } from './kept.js';
import { knownFiles } from './known.js';
import { makePlan, questions } from './plan.js';
import { emitting } from '../lib/emitter.js';

/**
 * @typedef {import('./plan.js').Target} Target
 * @typedef {import('./collect.js').Collected} Collected
 * @typedef {{project: string | null, collection: string | null, place: string, files: number, bytes: number,
 *   unreadable: import('./collect.js').Found[], known: import('./known.js').KnownFiles}} Question project, collection: null where they need not be
 *   asked, else the name offered
 * @typedef {{state: 'idle'} | {state: 'looking', found: number} | {state: 'asking', question: Question, error: string}
 *   | {state: 'preparing'} | {state: 'failed', message: string} | {state: 'left', batch: import('./kept.js').Batch, error: string}} Phase
 */

/** @typedef {ReturnType<typeof makeIntake>} Intake */

/**
 * Fires `change` when `phase` did, and `started` with the place the files go to.
 * @param {{session: import('./session.js').UploadSession, places: import('../state.js').Places}} parts
 */
export function makeIntake({ session, places }) {
  const { hasher } = session;
  /** One drop after the other: two questions at once would be one too many. @type {Promise<void>} */
  let turn = Promise.resolve();
  /** Begun here and not ended, with what is in them. @type {(Omit<import('./kept.js').Batch, 'seen' | 'files' | 'bytes'> & {items: import('./session.js').Item[]})[]} */
  let batches = [];
  const intake = emitting({
    /** @type {Phase} */
    phase: { state: 'idle' },
    /** @type {((answer: {project: string, collection: string} | null) => void) | null} */
    answer: null,
    drop, choose, offerLeft, goOn, forget, become,
  });
  setInterval(beat, BEAT_MS);
  // Whoever reloads at once must not be told that something is left.
  session.on('finished', beat);

  /** @param {Target} target @param {ReturnType<typeof import('./collect.js').takeNow>} taken */
  function drop(target, taken) {
    enqueue(target, () => walk(taken, (found) => become('looking', { found })), taken.handles);
  }

  /** @param {Target} target @param {Collected} collected */
  function choose(target, collected) {
    enqueue(target, () => collected, []);
  }

  /** @param {Target} target @param {() => Collected | Promise<Collected>} collect @param {any[]} handles */
  function enqueue(target, collect, handles) {
    turn = turn.then(() => take(target, collect, handles)).catch(({ message }) => become('failed', { message }));
  }

  /** @param {Target} target @param {() => Collected | Promise<Collected>} collect @param {any[]} handles */
  async function take(target, collect, handles) {
    become('looking', { found: 0 });
    hasher.warm();
    const collected = await collect();
    const { files, emptyFolders } = collected;
    if (files.length + emptyFolders.length === 0) {
      become('idle');
      return;
    }
    const ask = questions(target, collected);
    const known = knownFiles(hasher);
    /** @type {Question} */
    const question = {
      project: ask.project ? 'Archive' : null,
      collection: ask.collection ? 'Files' : null,
      place: places.get(target)?.name ?? 'this vault',
      files: files.length,
      bytes: files.reduce((sum, found) => sum + (found.file?.size ?? 0), 0),
      unreadable: files.filter((found) => found.error),
      known,
    };
    check(target, collected, known);
    for (let error = ''; ; ) {
      /** @type {{project: string, collection: string} | null} */
      const answer = await new Promise((resolve) => {
        intake.answer = resolve;
        become('asking', { question, error });
      });
      intake.answer = null;
      known.stop();
      if (answer === null) {
        become('idle');
        return;
      }
      for (const key of ['project', 'collection']) if (question[key] !== null) question[key] = answer[key];
      try {
        await start(target, collected, { ...answer, place: question.place, handles }, known);
        return;
      } catch (problem) {
        error = problem.message;
      }
    }
  }

  /** Looks for what is there already, in the places that are. @param {Target} target @param {Collected} collected @param {import('./known.js').KnownFiles} known */
  async function check(target, collected, known) {
    if (target.kind === 'home') return;
    try {
      const { steps } = makePlan(target, collected, '');
      if (target.kind === 'project') await places.branch(target.id);
      const roots = target.kind === 'project' ? new Map(places.children(target.id, null).map(({ name, id }) => [name, id])) : null;
      const placed = steps.map(({ root, prefix, found }) => ({ found, prefix, collectionId: roots ? roots.get(root) ?? 0 : target.id }));
      await known.check(placed.filter(({ collectionId }) => collectionId > 0));
    } catch {
      // Not to know costs sending what is there already, and nothing else.
    }
  }

  /** @param {Target} target @param {Collected} collected @param {{project: string, collection: string, place: string, handles: any[]}} how @param {import('./known.js').KnownFiles} known */
  async function start(target, collected, { project, collection, place, handles }, known) {
    become('preparing');
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
    batches.push({ id: `${tabId()}/${Date.now()}`, tab: tabId(), items: session.items.slice(first), target, project, collection, place, handles });
    beat();
    become('idle');
    intake.emit('started', { target, projectId, first: plan.roots.length === 1 ? rootIds.get(plan.roots[0]) : null });
    // Empty folders are worth keeping too; they need no upload, only their collections.
    for (const { root, below } of plan.empty) {
      let parent = rootIds.get(root);
      for (const name of below) parent = (await places.createCollection(projectId, parent, name)).id;
    }
  }

  // ---- Over a reload

  /** Says that somebody is at work on these, and how much is left. */
  function beat() {
    batches = batches.filter(({ items, ...batch }) => {
      const left = items.filter(({ state }) => ['waiting', 'hashing', 'receiving'].includes(state));
      if (left.length === 0) forgetBatch(batch.id);
      else keepBatch({ ...batch, seen: Date.now(), files: left.length, bytes: left.reduce((sum, { size, sent }) => sum + size - sent, 0) });
      return left.length > 0;
    });
  }

  /** Offers to go on with what an earlier visit left. */
  async function offerLeft() {
    const [batch] = await leftBatches().catch(() => []);
    if (batch && intake.phase.state === 'idle' && session.found === 0) become('left', { batch, error: '' });
  }

  /** The person's click on “Continue”. @param {import('./kept.js').Batch} batch */
  async function goOn(batch) {
    const { target, handles } = batch;
    const collected = await reopened(handles).catch(() => null);
    if (!collected) {
      become('left', { batch, error: 'The browser did not let the files be read again.' });
      return;
    }
    const known = knownFiles(hasher);
    known.stop();
    try {
      await check(target, collected, known);
      await start(target, collected, batch, known);
      await forgetBatch(batch.id);
    } catch ({ message }) {
      become('left', { batch, error: message });
    }
  }

  /** @param {import('./kept.js').Batch} batch */
  async function forget(batch) {
    await forgetBatch(batch.id);
    become('idle');
  }

  /** @param {Phase['state']} state @param {Record<string, any>} more */
  function become(state, more = {}) {
    intake.phase = { state, ...more };
    intake.emit('change');
  }

  return intake;
}
