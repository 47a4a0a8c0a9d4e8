// In which ways an asset can be looked at, the usual one first. Pure: goes by what the server says the content is, and by
// the extension only where the content does not tell.

/** @typedef {'picture' | 'video' | 'audio' | 'pages' | 'rendered' | 'beside' | 'table' | 'members' | 'model' | 'specimen' | 'text' | 'bytes' | 'empty'} Mode */

/** @type {Record<Mode, string>} */
export const MODE_WORDS = {
  picture: 'Picture', video: 'Video', audio: 'Sound', pages: 'Pages', rendered: 'Reading', beside: 'Beside', table: 'Table', members: 'Contents',
  model: 'Model', specimen: 'Specimen', text: 'Text', bytes: 'Bytes', empty: 'Empty',
};

const ARCHIVES = /^application\/(?:zip|x-tar|gzip|x-bzip2|x-xz|zstd|java-archive|epub\+zip|vnd\.android\.package-archive|vnd\.openxmlformats-.*|vnd\.oasis\..*)$/;
const MODELS = /^model\/(?:gltf\+json|gltf-binary|obj|stl)$/;
const TEXT_MODELS = /^model\/(?:gltf\+json|obj|vnd\.collada\+xml|step|iges|x3d\+xml|vrml|x-off)$/;

/** @param {{type: string, media_type: string, size_original: number}} asset @returns {Mode[]} */
export function modesOf({ type, media_type: media, size_original: size }) {
  if (size === 0) return ['empty'];
  if (media === 'application/pdf') return ['pages', 'bytes'];
  if (media === 'image/svg+xml') return ['picture', 'text', 'bytes'];
  if (media.startsWith('image/')) return ['picture', 'bytes'];
  if (media.startsWith('video/')) return ['video', 'bytes'];
  if (media.startsWith('audio/')) return ['audio', 'bytes'];
  if (media.startsWith('font/')) return ['specimen', 'bytes'];
  if (media === 'text/markdown') return ['rendered', 'beside', 'text', 'bytes'];
  if (media === 'text/csv' || media === 'text/tab-separated-values') return ['table', 'text', 'bytes'];
  if (MODELS.test(media)) return TEXT_MODELS.test(media) ? ['model', 'text', 'bytes'] : ['model', 'bytes'];
  if (ARCHIVES.test(media)) return ['members', 'bytes'];
  if (media.startsWith('text/') || TEXT_MODELS.test(media) || (type === 'text' && media !== 'application/octet-stream')) return ['text', 'bytes'];
  // The name promises what the content does not show: tried, so that the reason can be said.
  if (media === 'application/octet-stream' && (type === 'image' || type === 'video' || type === 'audio')) return [type === 'image' ? 'picture' : type, 'bytes'];
  if (media === 'application/octet-stream' && type === 'text') return ['text', 'bytes'];
  return ['bytes'];
}
