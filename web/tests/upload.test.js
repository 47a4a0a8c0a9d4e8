// From a drop to destinations: every level, every entry, past what cannot be read; and where each file then goes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { walk, takeNow } from '../upload/collect.js';
import { makePlan, questions } from '../upload/plan.js';
import { Rate } from '../upload/rate.js';

/** A file entry as a browser gives it. @param {string} name @param {string} [problem] */
function fileEntry(name, problem) {
  return { name, isFile: true, isDirectory: false, file: (/** @type {any} */ ok, /** @type {any} */ no) => (problem ? no(Object.assign(new Error(), { name: problem })) : ok(new File(['x'], name))) };
}

/** A folder entry whose reader gives a hundred entries a time, as Chromium's does. @param {string} name @param {any[]} children @param {number} [failAfter] */
function folderEntry(name, children, failAfter = Infinity) {
  return {
    name, isFile: false, isDirectory: true,
    createReader() {
      let at = 0;
      return {
        readEntries(/** @type {any} */ ok, /** @type {any} */ no) {
          if (at >= failAfter) return no(Object.assign(new Error(), { name: 'NotReadableError' }));
          const batch = children.slice(at, at + 100);
          at += batch.length;
          return ok(batch);
        },
      };
    },
  };
}

describe('what was dropped', () => {
  it('is read until nothing more comes, at every level', async () => {
    const many = Array.from({ length: 251 }, (_, i) => fileEntry(`${i}.txt`));
    const { files, emptyFolders } = await walk({ entries: [folderEntry('F', [...many, folderEntry('deep', [folderEntry('er', many.slice(0, 101))]), folderEntry('hollow', [])])], loose: [] });
    assert.equal(files.length, 352);
    assert.deepEqual(files.at(-1)?.folders, ['F', 'deep', 'er']);
    assert.deepEqual(emptyFolders, [['F', 'hollow']]);
    assert.ok(files.every(({ file, error }) => file && !error));
  });

  it('goes on past what cannot be read and names it', async () => {
    const { files } = await walk({ entries: [folderEntry('F', [fileEntry('a'), fileEntry('b', 'NotReadableError'), fileEntry('c')]), fileEntry('gone', 'NotFoundError')], loose: [] });
    assert.deepEqual(files.map(({ name, error }) => [name, error]), [['a', ''], ['b', 'the system refused'], ['c', ''], ['gone', 'it is no longer there']]);
  });

  it('keeps what a folder gave before it failed', async () => {
    const many = Array.from({ length: 300 }, (_, i) => fileEntry(`${i}`));
    const { files, emptyFolders } = await walk({ entries: [folderEntry('F', many, 200)], loose: [] });
    assert.equal(files.filter(({ file }) => file).length, 200);
    assert.match(String(files.find(({ error }) => error)?.error), /folder could not be read/);
    assert.deepEqual(emptyFolders, []);
  });
});

describe('where it goes', () => {
  const found = (/** @type {string} */ name, /** @type {string[]} */ ...folders) => ({ file: null, folders, name, error: '' });
  const collected = { files: [found('loose.txt'), found('a.txt', 'F'), found('b.txt', 'F', 'sub', 'deep')], emptyFolders: [['F', 'hollow'], ['G']] };

  it('keeps folders below a collection', () => {
    const plan = makePlan({ kind: 'collection', id: 4, projectId: 1 }, collected, 'Files');
    assert.deepEqual(plan.steps.map(({ root, prefix }) => [root, prefix]), [[null, ''], [null, 'F/'], [null, 'F/sub/deep/']]);
    assert.deepEqual(plan.roots, []);
    assert.deepEqual(plan.empty, [{ root: null, below: ['F', 'hollow'] }, { root: null, below: ['G'] }]);
  });

  it('makes folders collections of a project, and a collection for loose files', () => {
    const plan = makePlan({ kind: 'project', id: 1 }, collected, 'Papers');
    assert.deepEqual(plan.steps.map(({ root, prefix }) => [root, prefix]), [['Papers', ''], ['F', ''], ['F', 'sub/deep/']]);
    assert.deepEqual(plan.roots, ['Papers', 'F', 'G']);
    assert.deepEqual(plan.empty, [{ root: 'F', below: ['hollow'] }, { root: 'G', below: [] }]);
  });

  it('asks only for what is not clear', () => {
    const folders = { files: collected.files.slice(1), emptyFolders: [] };
    assert.deepEqual(questions({ kind: 'home' }, collected), { project: true, collection: true });
    assert.deepEqual(questions({ kind: 'home' }, folders), { project: true, collection: false });
    assert.deepEqual(questions({ kind: 'project', id: 1 }, folders), { project: false, collection: false });
    assert.deepEqual(questions({ kind: 'project', id: 1 }, collected), { project: false, collection: true });
    assert.deepEqual(questions({ kind: 'collection', id: 1, projectId: 1 }, collected), { project: false, collection: false });
  });
});

describe('the rate', () => {
  it('follows slowly and forgets the past', () => {
    const rate = new Rate();
    for (let t = 0; t <= 20_000; t += 1000) rate.sample(t, t * 10);
    assert.ok(Math.abs(rate.perSecond - 10_000) < 1);
    for (let t = 21_000; t <= 23_000; t += 1000) rate.sample(t, 200_000);
    assert.ok(rate.perSecond < 5000 && rate.perSecond > 1000);
    assert.equal(new Rate().secondsFor(10), Infinity);
  });
});

describe('what a drop hands over', () => {
  it('waits for no handle: one that the browser asks the person about may never come', async () => {
    globalThis.isSecureContext = true;
    const item = (/** @type {Promise<any>} */ handle) => ({ kind: 'file', webkitGetAsEntry: () => ({}), getAsFileSystemHandle: () => handle });
    const items = [item(new Promise(() => {})), item(Promise.resolve('kept')), item(Promise.reject(new Error('blocked'))), item(Promise.resolve(null))];
    const { entries, handles } = takeNow(/** @type {any} */ ({ items }));
    assert.equal(entries.length, 4);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    assert.deepEqual(handles, ['kept']);
  });
});
