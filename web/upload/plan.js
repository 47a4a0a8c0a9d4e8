// Where each found file goes. Pure: what was found and where it was dropped in, collections to make and destinations out.

/**
 * @typedef {import('./collect.js').Collected} Collected
 * @typedef {import('./collect.js').Found} Found
 * @typedef {{kind: 'home'} | {kind: 'project', id: number} | {kind: 'collection', id: number, projectId: number}} Target
 * @typedef {{root: string | null, prefix: string, found: Found}} Step root: name of a collection directly in the project,
 *   null for the target collection itself; prefix: "sub/folder/" below it
 * @typedef {{steps: Step[], roots: string[], empty: {root: string | null, below: string[]}[]}} Plan
 */

/** What has to be asked before anything can be sent. @param {Target} target @param {Collected} collected */
export function questions(target, collected) {
  const loose = collected.files.some((found) => found.folders.length === 0);
  return { project: target.kind === 'home', collection: target.kind !== 'collection' && loose };
}

/**
 * @param {Target} target @param {Collected} collected
 * @param {string} looseName the collection for files that came without a folder, where the target is no collection
 * @returns {Plan}
 */
export function makePlan(target, collected, looseName) {
  /** @param {string[]} folders @returns {{root: string | null, below: string[]}} */
  function place(folders) {
    if (target.kind === 'collection') return { root: null, below: folders };
    const [root = looseName, ...below] = folders;
    return { root, below };
  }
  const steps = collected.files.map((found) => {
    const { root, below } = place(found.folders);
    return { root, prefix: below.map((name) => `${name}/`).join(''), found };
  });
  const empty = collected.emptyFolders.map(place);
  const roots = new Set([...steps, ...empty].map(({ root }) => root));
  roots.delete(null);
  return { steps, roots: [...roots], empty };
}
