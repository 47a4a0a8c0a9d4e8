// What stands in a listing that has nothing to show: an empty vault, an empty place, no match, an error.

import { nameField } from '../components/name_field.js';
import { PERMANENT, count, h, icon, quoted, typeWord, visibleName } from '../lib/html.js';


/**
 * @param {{kind: string, path: any[], addFiles: () => void, addFolder: () => void, create: (name: string) => Promise<void>}} what
 */
export function emptyNote({ kind, path, addFiles, addFolder, create }) {
  const buttons = h('div.buttons',
    h('button#empty-add-files', { onclick: addFiles }, icon('upload'), 'Add files'),
    h('button#empty-add-folder', { onclick: addFolder }, icon('folder-up'), 'Add folder'));
  const permanent = h('p.hint', PERMANENT);
  if (kind === 'home') {
    return [icon('project', 'big'), h('h2', 'No projects yet'), h('p', 'A project is the top shelf: name the first one.'),
      nameField({ label: 'Name of the project', create }).element, h('p', 'Or drop files or folders anywhere on this page.'), buttons, permanent];
  }
  const where = path.map((step) => step.name).join('/');
  return [icon('upload', 'big'), h('h2', 'Nothing here yet'), h('p', 'Drop files or folders anywhere on this page.'), buttons,
    kind === 'project' && nameField({ label: 'Name of the first collection', create }).element, permanent,
    /^[\w .\-/]+$/.test(where) && h('p.hint', 'or: ', h('code', `compactvault add --to "${where}" PATH`))];
}

/** @param {{query: string, types: string[], place: string, wider: {href: string, total: number} | null, clear: () => void}} what */
export function noMatchNote({ query, types, place, wider, clear }) {
  const filters = types.map((type) => typeWord(type)).join(', ');
  const words = query ? `Nothing matches ${quoted(query)}${filters ? ` among ${filters}` : ''}` : `Nothing of type ${filters}`;
  return [icon('search', 'big'), h('h2#no-match', `${words} in ${visibleName(place)}.`),
    h('div.buttons',
      wider && h('a.button#search-wider', { href: wider.href }, `Search the whole vault (${count(wider.total)})`),
      h('button#clear-filters', { onclick: clear }, 'Clear search and filters'))];
}

/** @param {{error: any, whole: boolean, retry: () => void}} what */
export function errorNote({ error, whole, retry }) {
  const button = h('button#listing-retry', { onclick: retry }, icon('retry'), 'Try again');
  if (!whole) return [h('span', error.message), button];
  return [icon('error', 'big'), h('h2', error.status === 404 ? 'Not in this vault' : 'This could not be listed'), h('p', error.message),
    h('div.buttons', button, h('a.button', { href: '/', 'data-place': 'home' }, 'All projects'))];
}
