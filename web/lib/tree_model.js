// The tree of places as a flat list of rows. Pure: what is open in, rows with level, position and size of their set out.

/**
 * @typedef {{key: string, kind: 'home' | 'project' | 'collection', id: number, name: string, level: number, position: number,
 *   setSize: number, parent: string, count: number, expandable: boolean, expanded: boolean, busy: boolean, failed: boolean,
 *   projectId: number}} TreeRow key: "home", "p/1", "c/2"
 */

/** What a place is. @param {object} place a project or a collection @returns {'project' | 'collection'} */
export function kindOfPlace(place) {
  return 'project_id' in place ? 'collection' : 'project';
}

/** @param {any} place a project or a collection */
export function keyOfPlace(place) {
  return `${kindOfPlace(place)[0]}/${place.id}`;
}

/**
 * @param {{projects: any[] | null, children: (projectId: number, parentId: number | null) => any[], open: Set<string>,
 *   loaded: (projectId: number) => boolean, failed: Set<number>}} tree
 * @returns {TreeRow[]}
 */
export function treeRows({ projects, children, open, loaded, failed }) {
  const list = projects ?? [];
  /** What most rows are not. */
  const usual = { expandable: false, expanded: false, busy: false, failed: false, parent: '', projectId: 0 };
  /** @type {TreeRow[]} */
  const rows = [{
    ...usual, key: 'home', kind: 'home', id: 0, name: 'All projects', level: 1, position: 1, setSize: list.length + 1,
    count: list.reduce((sum, project) => sum + project.assets, 0), busy: projects === null,
  }];
  list.forEach(({ id, name, assets, collections }, i) => {
    const key = `p/${id}`;
    const expanded = open.has(key);
    rows.push({
      ...usual, key, kind: 'project', id, name, level: 1, position: i + 2, setSize: list.length + 1, count: assets,
      expandable: collections > 0, expanded, busy: expanded && !loaded(id) && !failed.has(id), failed: expanded && failed.has(id), projectId: id,
    });
    if (!expanded || !loaded(id)) return;
    // A list of frames instead of recursion: names may be nested as deep as anyone likes.
    const stack = [{ siblings: children(id, null), at: 0, parent: key }];
    while (stack.length > 0) {
      const frame = stack.at(-1);
      const collection = frame.siblings[frame.at];
      if (!collection) {
        stack.pop();
        continue;
      }
      frame.at += 1;
      const row = {
        ...usual, key: `c/${collection.id}`, kind: 'collection', id: collection.id, name: collection.name, level: stack.length + 1, position: frame.at,
        setSize: frame.siblings.length, parent: frame.parent, count: collection.assets, projectId: id,
      };
      const below = children(id, collection.id);
      row.expandable = below.length > 0;
      row.expanded = row.expandable && open.has(row.key);
      rows.push(row);
      if (row.expanded) stack.push({ siblings: below, at: 0, parent: row.key });
    }
  });
  return rows;
}

/** The row whose name begins with what was typed, looking onwards from a row and around the end. @param {TreeRow[]} rows @param {number} from @param {string} prefix */
export function typeAhead(rows, from, prefix) {
  const wanted = prefix.toLocaleLowerCase();
  const fits = rows.map(({ name }) => name.toLocaleLowerCase().startsWith(wanted));
  const onwards = fits.indexOf(true, from);
  return onwards < 0 ? fits.indexOf(true) : onwards;
}

/**
 * The steps of a path that fit beside each other: the first and the last two, with one step for those between. The
 * tree beside it shows them all.
 * @template {{ name: string, href: string, title?: string }} S
 * @param {S[]} steps
 * @returns {(S | { name: string, href: string, title: string })[]}
 */
export function foldMiddle(steps) {
  if (steps.length <= 4) return steps;
  const between = steps.slice(1, -2);
  return [steps[0], { ...between.at(-1), name: '…', title: between.map((step) => step.name).join(' / ') }, ...steps.slice(-2)];
}
