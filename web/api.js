// The one file that talks to the server. It knows addresses and shapes, and turns every failure into an ApiError that
// carries the server's code. See docs/http-api.md.

import { Emitter } from './lib/emitter.js';

/**
 * @typedef {{id: number, name: string, type: string, description: string, created_at_unix_ms: number,
 *   updated_at_unix_ms: number, collections: number, assets: number}} Project
 * @typedef {{id: number, project_id: number, parent_id: number | null, name: string, type: string,
 *   created_at_unix_ms: number, assets: number, collections: number}} Collection
 * @typedef {{id: number, type: string, format: string, filename: string, filename_base64?: string, size_original: number,
 *   media_type: string, sha256: string, modified: ?string, modified_unix_ms: ?number, created_at: string,
 *   created_at_unix_ms: number, executable: boolean, versions: number, thumbnail: boolean, path?: string, collection_id?: number}} Asset path and
 *   collection_id only in what a search found
 * @typedef {Asset & {collection_id: number, project_id: number, path: string, crc32: string, chunks: number,
 *   version_ids: number[], content?: string, content_truncated?: boolean, encoding?: string,
 *   highlight?: [number, number, string][], log_position?: number, leaf_hash?: string}} AssetDetails
 * @typedef {{id: number, collection_id: number, project_id: number, path: string, filename: string, created_at_unix_ms: number,
 *   newest: boolean}} Place
 * @typedef {{text: string, highlight?: [number, number, string][], cut?: boolean}} Line
 * @typedef {{line: number, lines: Line[], total_lines: number, complete?: boolean, encoding: string, bytes: number, language: string | null}} TextWindow
 * @typedef {{line: number, start: number, end: number}} Hit
 * @typedef {{header: string[] | null, rows: string[][], row: number, total_rows: number | null, columns: number, delimiter: string}} TableWindow
 * @typedef {{path: string, kind: 'file' | 'folder' | 'link', size: number, packed: number | null, modified_unix_ms: number | null, target?: string}} Member
 * @typedef {{format: string, members: Member[], total: number, bytes: number, complete: boolean, message?: string}} Members
 * @typedef {string | [string, Record<string, any>, any[]]} DocumentNode
 * @typedef {{start: number, end: number, text: string, kind: 'word' | 'filter' | 'unknown', key?: string, meaning: string,
 *   suggestion?: string}} Term of a query as the server read it; offsets in UTF-16 units
 * @typedef {{assets: Asset[], total: number, counts: Record<string, number>, bytes: number, log_size: number, read?: Term[]}} AssetPage
 * @typedef {{offset?: number, limit?: number, q?: string, types?: string[], sort?: string}} How a leading `-` turns the sort round
 * @typedef {{kind: 'home' | 'project' | 'collection', id: number}} Within
 * @typedef {{ranks: (number | null)[], prefix_rank: number | null, total: number, log_size: number}} Ranks
 * @typedef {{verdict: string, size: number, log_size: number, damaged_entries: number, message: string}} Comparison message: the verdict in words
 * @typedef {{all: boolean, ranges: [number, number][], with: number[], without: number[], place: any, q?: string,
 *   types?: string[], sort?: string, order?: string, deep?: boolean}} Rule a selection as the server takes it
 * @typedef {{state: 'idle' | 'running' | 'done' | 'stopped', depth: string, bytes_done: number, bytes_total: number,
 *   entries_done: number, entries_total: number, started_unix_ms: number, ended_unix_ms: number, seconds: number,
 *   findings: {code: string, message: string, asset_id?: number, path?: string}[], findings_total: number}} Verification
 * @typedef {{upload_id: string, status: 'receiving' | 'queued' | 'sealed' | 'failed', parts?: {index: number, size: number}[],
 *   received_bytes?: number, filename?: string, asset_id?: number, already_archived?: boolean, code?: string,
 *   message?: string}} Upload
 * @typedef {Upload & {status: 'sealed', message: string} | {status: 'failed', http_status: number, code: string, message: string}} Carried
 *   what became of one file of several in a request
 * @typedef {{version: string, vault: {id: string, name: string, created: string, created_unix_ms: number, format: number},
 *   read_only: string | null, projects: number, collections: number, assets: number, links: number, entries: number,
 *   chunks: number, packs: number, logical_bytes: number, unique_bytes: number, stored_bytes: number, file_bytes: number,
 *   saved_by_dedup_bytes: number, saved_by_compression_bytes: number, unreferenced_chunks: number,
 *   log: {size: number, root: string, words?: string[]}, safe_to_copy: boolean,
 *   last_full_verification?: {unix_ms: number, depth: string, findings: number, log_size: number} | null,
 *   parity?: {percent: number, bytes: number, stripes: number},
 *   last_verified: {oldest_unix_ms: ?number, newest_unix_ms: ?number, parts: number, parts_never: number, repairs: number},
 *   uploads_unfinished: number}} Status
 * @typedef {{name: string, size_bytes: number, modified: string, modified_unix_ms: number,
 *   state: 'ok' | 'newer' | 'original' | 'not_a_vault'}} VaultFile
 */

/** `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  /** @param {string} message @param {{status?: number, code?: string, retryAfter?: number}} [facts] retryAfter in seconds, 0 where the server did not say */
  constructor(message, { status = 0, code = 'no_answer', retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { name: 'ApiError', status, code, retryAfter });
  }

  /** Worth trying again without the person doing anything? */
  get passing() {
    return this.status === 0 || [429, 502, 503, 504].includes(this.status);
  }
}

/** Fires `trouble` (detail: ApiError) at 401 and at no answer, `answered` when one came: the shell draws its bar from it. */
export const connection = new Emitter();

const asText = (text) => text;

/**
 * @param {string} path @param {{body?: any, signal?: AbortSignal, range?: string, read?: ((text: string) => any) | null}} [options]
 *   a body makes it a POST; read turns the text into the answer, null asks for the bytes
 */
async function request(path, { body, signal, range, read = JSON.parse } = {}) {
  /** @type {RequestInit} */
  const init = { signal };
  if (range) init.headers = { Range: range };
  if (body) Object.assign(init, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  let response;
  let content;
  try {
    response = await fetch(path, init);
    content = await (read === null && response.ok ? response.arrayBuffer() : response.text());
  } catch (error) {
    if (signal?.aborted) throw error;
    throw reported(new ApiError('The server does not answer.'));
  }
  return settled(response.status, content, response.headers.get('Retry-After'), read ?? asText);
}

/** @param {number} status @param {any} content @param {string | null} retryAfter @param {(text: any) => any} read */
function settled(status, content, retryAfter, read) {
  const good = status >= 200 && status < 300;
  let body = null;
  try {
    body = (good ? read : JSON.parse)(content);
  } catch {
    if (good) throw new ApiError('The answer was cut off on its way here.');
    // A proxy in between answers in its own words.
  }
  if (!good) throw reported(new ApiError(body?.message ?? `The server answered ${status}.`, { status, code: body?.code ?? `http_${status}`, retryAfter: Number(retryAfter) || 0 }));
  connection.emit('answered');
  return body;
}

/** @param {ApiError} error */
function reported(error) {
  connection.emit(error.status === 0 || error.status === 401 ? 'trouble' : 'answered', error);
  return error;
}

/** @param {string} path @param {AbortSignal} [signal] */
const get = (path, signal) => request(path, { signal });
/** @param {string} path @param {any} body @param {AbortSignal} [signal] */
const post = (path, body, signal) => request(path, { body, signal });

/** A sort of the page in the API's words. @param {string} sort begins with - where it goes down */
export function orderOf(sort) {
  return { sort: sort.replace('-', ''), order: sort.startsWith('-') ? 'desc' : 'asc' };
}

/**
 * The address of a listing or of ranks in it: a collection lists its own, a search all below.
 * @param {Within} within @param {How} how @param {Record<string, any>} more
 */
function listed({ kind, id }, { q = '', types = [], sort = 'name' }, more, end = '') {
  const own = kind === 'collection' && !q;
  const params = {
    q, type: types.join(), ...orderOf(sort), [kind]: own || kind === 'home' ? '' : id, ...more,
  };
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== ''));
  return `${own ? `/api/collections/${id}${end || '/assets'}` : `/api/search${end}`}?${query}`;
}

/** What is asked of one asset, and how much of it. @param {string} what */
const ofAsset = (what) => (id, signal, params) => get(`/api/assets/${id}/${what}${params ? `?${new URLSearchParams(params)}` : ''}`, signal);

export const api = {
  /** @returns {Promise<{chosen: string | null, vaults: VaultFile[]}>} */
  vaults: () => get('/api/vaults'),
  /** @param {string} db */
  selectVault: (db) => post('/api/select_db', { db }),
  /** @returns {Promise<Status>} */
  status: () => get('/api/status'),
  /** @returns {Promise<string>} */
  checkpoint: () => request('/api/checkpoint', { read: asText }),
  /** What somebody kept against the log. @param {string} checkpoint a note, or words @param {AbortSignal} signal @returns {Promise<Comparison>} */
  compare: (checkpoint, signal) => post('/api/checkpoint/compare', { checkpoint }, signal),

  /** @returns {Promise<Project[]>} */
  projects: () => get('/api/projects'),
  /** @param {string} name @returns {Promise<Project>} */
  createProject: (name) => post('/api/projects', { name }),
  /** @param {number} id @returns {Promise<Collection[]>} */
  collections: (id) => get(`/api/projects/${id}/collections`),
  /** @param {number} id @returns {Promise<Collection>} */
  collection: (id) => get(`/api/collections/${id}`),
  /** @param {number} projectId @param {number | null} parentId @param {string} name @returns {Promise<Collection>} */
  createCollection: (projectId, parentId, name) => post('/api/collections', { project_id: projectId, parent_id: parentId, name }),

  /** What a place holds, or what is found in it and below. @param {Within} within @param {How} how @param {AbortSignal} [signal] @returns {Promise<AssetPage>} */
  assets: (within, { offset = 0, limit, ...how }, signal) => get(listed(within, how, { offset, limit }), signal),
  /**
   * Where assets stand in that listing, and the first name that begins so.
   * @param {Within} within @param {How} how @param {{ids?: number[], prefix?: string}} what at most 200 ids @returns {Promise<Ranks>}
   */
  rank: (within, how, { ids = [], prefix = '' }) => get(listed(within, how, { ids: ids.join(), prefix }, '/rank')),
  /** @type {(id: number, signal?: AbortSignal) => Promise<AssetDetails>} */
  details: ofAsset('preview'),
  /** @type {(id: number, signal?: AbortSignal) => Promise<{facts: import('./lib/facts.js').Facts, state: 'known' | 'none' | 'failed', ends_early: boolean, message?: string}>} */
  facts: ofAsset('facts'),
  /** Where else the same content hangs. @type {(id: number, signal?: AbortSignal) => Promise<{places: Place[], total: number}>} */
  places: ofAsset('places'),
  /** Bytes first..last, both included. @param {number} id @param {number} first @param {number} last @param {AbortSignal} [signal] @returns {Promise<ArrayBuffer>} */
  range: (id, first, last, signal) => request(addressOf.bytes(id), { read: null, range: `bytes=${first}-${last}`, signal }),
  /** @type {(id: number, signal: AbortSignal, part: {line: number, lines: number}) => Promise<TextWindow>} */
  text: ofAsset('text'),
  /** @type {(id: number, signal: AbortSignal, what: {query: string, line: number, limit: number}) => Promise<{hits: Hit[], next_line: number | null}>} */
  textSearch: ofAsset('text/search'),
  /** @type {(id: number, signal: AbortSignal, part: {row: number, rows: number}) => Promise<TableWindow>} */
  table: ofAsset('table'),
  /** @type {(id: number, signal: AbortSignal, part: {offset: number, limit: number}) => Promise<Members>} */
  members: ofAsset('members'),
  /** @type {(id: number, signal?: AbortSignal) => Promise<{nodes: DocumentNode[], complete?: boolean, message?: string}>} */
  document: ofAsset('document'),
  /** @param {number} id @param {AbortSignal} [signal] @returns {Promise<ArrayBuffer>} for lib/mesh.js */
  model: (id, signal) => request(`/api/assets/${id}/model`, { read: null, signal }),
  /** Whether an address that failed as a picture may come right later: its answer alone. @param {string} address */
  tell: (address) => fetch(address, { method: 'HEAD' }).then(({ status, headers }) => ({ status, retryAfter: Number(headers.get('Retry-After')) || 0 })),

  /** @param {Rule} rule @param {AbortSignal} [signal] @returns {Promise<{count: number, bytes: number, log_size: number}>} */
  selection: (rule, signal) => post('/api/selection', rule, signal),
  /** @param {Rule} rule @returns {Promise<{url: string, count: number, bytes: number}>} */
  ticket: (rule) => post('/api/downloads', { selection: rule }),

  /**
   * Which of these files the newest version there already is, null for those it is not.
   * @param {number} collectionId @param {Record<string, any>[]} files at most 1000
   * @returns {Promise<{known: ({asset_id: number, by: string, sha256?: string} | null)[]}>}
   */
  known: (collectionId, files) => post('/api/known', { collection_id: collectionId, files }),

  /** @returns {Promise<Verification>} */
  verification: () => get('/api/verification'),
  /** @param {'quick' | 'full' | 'deep'} depth @returns {Promise<Verification>} */
  verify: (depth) => post('/api/verification', { depth }),
  stopVerifying: () => post('/api/verification/stop', {}),

  /** @param {string} id @returns {Promise<Upload>} */
  upload: (id) => get(`/api/uploads/${encodeURIComponent(id)}`),
  /** @returns {Promise<{uploads: Upload[]}>} */
  uploads: () => get('/api/uploads'),
  /** @param {Record<string, any>} fields @param {AbortSignal} [signal] @returns {Promise<Upload & {message: string}>} */
  completeUpload: (fields) => post('/api/upload/complete', fields),
  /**
   * One part of an upload.
   * @param {string} uploadId @param {number} index @param {Blob} body @param {Sending} [how]
   */
  sendPart: (uploadId, index, body, how) => send(
    `/api/upload/chunk?${new URLSearchParams({ upload_id: uploadId, chunk_index: index })}`, body, how),
  /**
   * A whole file, to an address made by `addressOf.file`.
   * @param {string} address @param {Blob} body @param {Sending} [how] @returns {Promise<Upload & {message: string}>}
   */
  sendFile: send,
  /**
   * Several whole files, each answered for itself.
   * @param {number} collectionId @param {Blob} body a line of JSON that lists them, then their bytes
   * @param {Sending} [how] @returns {Promise<{files: Carried[]}>}
   */
  sendBatch: (collectionId, body, how) => send(`/api/collections/${collectionId}/batch`, body, how),
};

export const addressOf = {
  /** @param {number} id */
  bytes: (id) => `/api/assets/${id}`,
  /** @param {number} id */
  download: (id) => `/api/assets/${id}?download=1`,
  /** @param {number} id @param {256 | 512 | 1024} size of the longest edge, at most */
  thumbnail: (id, size) => `/api/assets/${id}/thumbnail?size=${size}`,
  /** @param {number} id */
  proof: (id) => `/api/assets/${id}/proof`,
  /** @param {{kind: 'project' | 'collection', id: number}} place */
  zip: ({ kind, id }) => `/api/${kind}s/${id}/download`,
  /** Where a file is sent to be archived. @param {number} collectionId @param {Record<string, string>} fields */
  file: (collectionId, fields) => `/api/collections/${collectionId}/assets?${new URLSearchParams(fields)}`,
  events: '/api/events',
};

/**
 * Bytes. XMLHttpRequest, because fetch does not say how much has left.
 * @typedef {{onProgress?: (sent: number) => void, signal?: AbortSignal}} Sending
 * @param {string} address @param {Blob} body @param {Sending} [how]
 * @returns {Promise<any>}
 */
function send(address, body, { onProgress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    // Who had to wait for a turn may have been told to stop meanwhile.
    signal?.throwIfAborted();
    const xhr = new XMLHttpRequest();
    xhr.open('POST', address);
    xhr.setRequestHeader('Content-Type', 'application/octet-stream');
    xhr.upload.onprogress = ({ loaded }) => onProgress(loaded);
    xhr.onload = () => {
      try {
        const answer = settled(xhr.status, xhr.responseText, xhr.getResponseHeader('Retry-After'), JSON.parse);
        onProgress(body.size);
        resolve(answer);
      } catch (error) {
        reject(error);
      }
    };
    xhr.onerror = () => reject(reported(new ApiError('The connection broke.')));
    xhr.onabort = () => reject(signal.reason);
    signal?.addEventListener('abort', () => xhr.abort(), { once: true });
    xhr.send(body);
  });
}
