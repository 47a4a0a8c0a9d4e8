// In which ways an asset can be looked at, the usual one first. Pure: goes by what the server says the content is, and by
// the extension only where the content does not tell.

/** @typedef {'picture' | 'video' | 'audio' | 'pages' | 'rendered' | 'beside' | 'table' | 'members' | 'model' | 'specimen' | 'text' | 'bytes' | 'empty'} Mode */

/** @type {Record<Mode, string>} */
export const MODE_WORDS = {
  picture: 'Picture', video: 'Video', audio: 'Sound', pages: 'Pages', rendered: 'Reading', beside: 'Beside', table: 'Table', members: 'Contents',
  model: 'Model', specimen: 'Specimen', text: 'Text', bytes: 'Bytes', empty: 'Empty',
};

/** @type {[kind: RegExp, modes: Mode[]][]} the first that fits */
const WAYS = [
  [/^application\/pdf$/, ['pages']],
  [/^image\/svg\+xml$/, ['picture', 'text']],
  [/^image\//, ['picture']],
  [/^video\//, ['video']],
  [/^audio\//, ['audio']],
  [/^font\//, ['specimen']],
  [/^text\/markdown$/, ['rendered', 'beside', 'text']],
  [/^text\/(?:csv|tab-separated-values)$/, ['table', 'text']],
  [/^model\/(?:gltf\+json|obj)$/, ['model', 'text']],
  [/^model\/(?:gltf-binary|stl)$/, ['model']],
  [/^application\/(?:zip|x-tar|gzip|x-bzip2|x-xz|zstd|java-archive|epub\+zip|vnd\.android\.package-archive|vnd\.openxmlformats-.*|vnd\.oasis\..*)$/, ['members']],
  [/^(?:text\/|model\/(?:vnd\.collada\+xml|step|iges|x3d\+xml|vrml|x-off)$)/, ['text']],
];
/** By the type that the name promises, where the content does not tell: tried, so that the reason can be said. @type {Record<string, Mode[]>} */
const PROMISED = { image: ['picture'], video: ['video'], audio: ['audio'], text: ['text'] };

/** @param {{type: string, media_type: string, size_original: number}} asset @returns {Mode[]} */
export function modesOf({ type, media_type: media, size_original: size }) {
  if (size === 0) return ['empty'];
  const told = WAYS.find(([kind]) => kind.test(media))?.[1];
  const promised = type === 'text' || media === 'application/octet-stream' ? PROMISED[type] : null;
  return [...(told ?? promised ?? []), 'bytes'];
}
