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
  /** @type {TreeRow[]} */
  const rows = [{
    key: 'home', kind: 'home', id: 0, name: 'All projects', level: 1, position: 1, setSize: list.length + 1, parent: '',
    count: list.reduce((sum, project) => sum + project.assets, 0), expandable: false, expanded: false, busy: projects === null,
    failed: false, projectId: 0,
  }];
  list.forEach((project, i) => {
    const key = `p/${project.id}`;
    const expanded = open.has(key);
    const known = loaded(project.id);
    rows.push({
      key, kind: 'project', id: project.id, name: project.name, level: 1, position: i + 2, setSize: list.length + 1, parent: '',
      count: project.assets, expandable: project.collections > 0, expanded, busy: expanded && !known && !failed.has(project.id),
      failed: expanded && failed.has(project.id), projectId: project.id,
    });
    if (expanded && known) append(rows, project.id, null, 2, key, children, open);
  });
  return rows;
}

/** @param {TreeRow[]} rows @param {number} projectId @param {number | null} parentId @param {number} level @param {string} parent @param {(p: number, c: number | null) => any[]} children @param {Set<string>} open */
function append(rows, projectId, parentId, level, parent, children, open) {
  // A list of frames instead of recursion: names may be nested as deep as anyone likes.
  const stack = [{ siblings: children(projectId, parentId), at: 0, level, parent }];
  while (stack.length > 0) {
    const frame = stack[stack.length - 1];
    if (frame.at >= frame.siblings.length) {
      stack.pop();
      continue;
    }
    const collection = frame.siblings[frame.at];
    frame.at += 1;
    const key = `c/${collection.id}`;
    const below = children(projectId, collection.id);
    const expanded = open.has(key) && below.length > 0;
    rows.push({
      key, kind: 'collection', id: collection.id, name: collection.name, level: frame.level, position: frame.at,
      setSize: frame.siblings.length, parent: frame.parent, count: collection.assets, expandable: below.length > 0, expanded,
      busy: false, failed: false, projectId,
    });
    if (expanded) stack.push({ siblings: below, at: 0, level: frame.level + 1, parent: key });
  }
}

/** The row whose name begins with what was typed, looking onwards from a row and around the end. @param {TreeRow[]} rows @param {number} from @param {string} prefix */
export function typeAhead(rows, from, prefix) {
  const wanted = prefix.toLocaleLowerCase();
  for (let step = 0; step < rows.length; step += 1) {
    const at = (from + step) % rows.length;
    if (rows[at].name.toLocaleLowerCase().startsWith(wanted)) return at;
  }
  return -1;
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
  const nearest = between[between.length - 1];
  return [steps[0], { ...nearest, name: '…', title: between.map((step) => step.name).join(' / ') }, ...steps.slice(-2)];
}
