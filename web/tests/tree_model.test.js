// The tree as rows: levels, positions, sizes of sets, and jumping by letters.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { foldMiddle, treeRows, typeAhead } from '../lib/tree_model.js';
import { branchOf } from '../state.js';

const projects = [{ id: 1, name: 'Alpha', assets: 5, collections: 2 }, { id: 2, name: 'Beta', assets: 0, collections: 0 }];
const collection = (/** @type {number} */ id, /** @type {number | null} */ parent, /** @type {string} */ name) => ({ id, project_id: 1, parent_id: parent, name, assets: id, collections: 0 });
const branch = branchOf(/** @type {any} */ ([collection(3, null, 'data'), collection(4, 3, 'music'), collection(5, 3, 'textures'), collection(6, null, 'docs')]));

/** @param {string[]} open */
function rows(open, loaded = true) {
  return treeRows({ projects, children: (projectId, parentId) => (projectId === 1 ? branch.children.get(parentId ?? 0) ?? [] : []), open: new Set(open), loaded: () => loaded, failed: new Set() });
}

describe('tree', () => {
  it('shows projects until one is opened', () => {
    assert.deepEqual(rows([]).map(({ key }) => key), ['home', 'p/1', 'p/2']);
    assert.deepEqual(rows(['p/1', 'c/3']).map(({ key }) => key), ['home', 'p/1', 'c/3', 'c/4', 'c/5', 'c/6', 'p/2']);
  });

  it('gives level, position and size of the set', () => {
    const music = rows(['p/1', 'c/3']).find(({ key }) => key === 'c/5');
    assert.deepEqual([music?.level, music?.position, music?.setSize, music?.parent], [3, 2, 2, 'c/3']);
  });

  it('is busy while a branch is on its way', () => {
    const [, alpha] = rows(['p/1'], false);
    assert.ok(alpha.busy && alpha.expanded);
    assert.equal(rows(['p/1'], false).length, 3);
  });

  it('bears a nesting deeper than any call stack', () => {
    const deep = branchOf(/** @type {any} */ (Array.from({ length: 20_000 }, (_, i) => collection(i + 10, i === 0 ? null : i + 9, `n${i}`))));
    const all = treeRows({ projects, children: (projectId, parentId) => (projectId === 1 ? deep.children.get(parentId ?? 0) ?? [] : []), open: new Set(['p/1', ...deep.list.map(({ id }) => `c/${id}`)]), loaded: () => true, failed: new Set() });
    assert.equal(all.length, 20_003);
    assert.equal(all[20_001].level, 20_001);
  });

  it('jumps to the next name that begins so', () => {
    const list = rows(['p/1', 'c/3']);
    assert.equal(typeAhead(list, 0, 'da'), 2);
    assert.equal(typeAhead(list, 3, 'd'), 5);
    assert.equal(typeAhead(list, 6, 'D'), 2);
    assert.equal(typeAhead(list, 0, 'zz'), -1);
  });
});

it('a deep path keeps its ends and folds what lies between', () => {
  const step = (name) => ({ name, href: `/c/${name}` });
  const four = ['a', 'b', 'c', 'd'].map(step);
  assert.equal(foldMiddle(four), four);
  assert.deepEqual(foldMiddle(['a', 'b', 'c', 'd', 'e'].map(step)), [
    step('a'), { name: '…', href: '/c/c', title: 'b / c' }, step('d'), step('e'),
  ]);
});
