// The one file that talks to the server. It knows addresses and shapes, and turns every failure into an ApiError that
// carries the server's code. See docs/http-api.md.

/**
 * @typedef {{id: number, name: string, type: string, description: string, created_at_unix_ms: number,
 *   updated_at_unix_ms: number, collections: number, assets: number}} Project
 * @typedef {{id: number, project_id: number, parent_id: number | null, name: string, type: string,
 *   created_at_unix_ms: number, assets: number, collections: number}} Collection
 * @typedef {{id: number, type: string, format: string, filename: string, filename_base64?: string, size_original: number,
 *   media_type: string, sha256: string, modified: ?string, modified_unix_ms: ?number, created_at: string,
 *   created_at_unix_ms: number, executable: boolean, versions: number, path?: string, collection_id?: number}} Asset path and
 *   collection_id only in what a search found
 * @typedef {Asset & {collection_id: number, project_id: number, path: string, crc32: string, chunks: number,
 *   version_ids: number[], content?: string, content_truncated?: boolean, encoding?: string,
 *   highlight?: [number, number, string][]}} AssetDetails
 * @typedef {{assets: Asset[], total: number, counts: Record<string, number>, bytes: number, log_size: number}} AssetPage
 * @typedef {{upload_id: string, status: 'receiving' | 'queued' | 'sealed' | 'failed', parts?: {index: number, size: number}[],
 *   received_bytes?: number, filename?: string, asset_id?: number, already_archived?: boolean, code?: string,
 *   message?: string}} Upload
 * @typedef {{version: string, vault: {id: string, name: string, created: string, created_unix_ms: number, format: number},
 *   read_only: string | null, projects: number, collections: number, assets: number, links: number, entries: number,
 *   chunks: number, packs: number, logical_bytes: number, unique_bytes: number, stored_bytes: number, file_bytes: number,
 *   saved_by_dedup_bytes: number, saved_by_compression_bytes: number, unreferenced_chunks: number,
 *   log: {size: number, root: string}, safe_to_copy: boolean,
 *   last_verified: {oldest_unix_ms: ?number, newest_unix_ms: ?number, parts: number, parts_never: number, repairs: number},
 *   uploads_unfinished: number}} Status
 * @typedef {{name: string, size_bytes: number, modified: string, modified_unix_ms: number,
 *   state: 'ok' | 'newer' | 'original' | 'not_a_vault'}} VaultFile
 */

/** `status` 0 means that no answer came at all. */
export class ApiError extends Error {
  /** @param {string} message @param {{status: number, code: string, retryAfter?: number, body?: any}} facts */
  constructor(message, { status, code, retryAfter = 0, body = null }) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    /** seconds, 0 where the server did not say */
    this.retryAfter = retryAfter;
    this.body = body;
  }

  /** Worth trying again without the person doing anything? */
  get passing() {
    return this.status === 0 || [429, 502, 503, 504].includes(this.status);
  }
}

/** Fires `trouble` (detail: ApiError) at 401 and at no answer, `answered` when one came: the shell draws its bar from it. */
export const connection = new EventTarget();

/** @param {string} method @param {string} path @param {{body?: any, signal?: AbortSignal, as?: 'json' | 'text'}} [options] */
async function request(method, path, { body, signal, as = 'json' } = {}) {
  /** @type {RequestInit} */
  const init = { method, signal, credentials: 'same-origin', headers: { Accept: as === 'json' ? 'application/json' : 'text/plain' } };
  if (body !== undefined) {
    init.headers = { ...init.headers, 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  let response;
  let text;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw reported(new ApiError('The server does not answer.', { status: 0, code: 'no_answer' }));
  }
  return settled(response.status, text, response.headers.get('Retry-After'), as);
}

/** @param {number} status @param {string} text @param {string | null} retryAfter @param {'json' | 'text'} as */
function settled(status, text, retryAfter, as) {
  if (status >= 200 && status < 300) {
    connection.dispatchEvent(new CustomEvent('answered'));
    if (as === 'text') return text;
    try {
      return JSON.parse(text);
    } catch {
      throw new ApiError('The answer was cut off on its way here.', { status: 0, code: 'no_answer' });
    }
  }
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy in between answers in its own words.
  }
  const message = body?.message ?? `The server answered ${status}.`;
  throw reported(new ApiError(message, { status, code: body?.code ?? `http_${status}`, retryAfter: Number(retryAfter) || 0, body }));
}

/** @param {ApiError} error */
function reported(error) {
  const type = error.status === 0 || error.status === 401 ? 'trouble' : 'answered';
  connection.dispatchEvent(new CustomEvent(type, { detail: error }));
  return error;
}

/** @param {string} path @param {AbortSignal} [signal] */
const get = (path, signal) => request('GET', path, { signal });
/** @param {string} path @param {any} body @param {AbortSignal} [signal] */
const post = (path, body, signal) => request('POST', path, { body, signal });

/** @param {{offset: number, limit: number, query?: string, types?: string[], sort?: string}} how */
function listing({ offset, limit, query = '', types = [], sort = 'name' }) {
  const params = new URLSearchParams({ offset: String(offset), limit: String(limit) });
  if (query) params.set('query', query);
  if (types.length > 0) params.set('type', types.join(','));
  params.set('sort', sort.replace(/^-/, ''));
  params.set('order', sort.startsWith('-') ? 'desc' : 'asc');
  return params;
}

export const api = {
  /** @returns {Promise<{chosen: string | null, vaults: VaultFile[]}>} */
  vaults: () => get('/api/vaults'),
  /** @param {string} db */
  selectVault: (db) => post('/api/select_db', { db }),
  /** @param {AbortSignal} [signal] @returns {Promise<Status>} */
  status: (signal) => get('/api/status', signal),
  /** @returns {Promise<string>} */
  checkpoint: () => request('GET', '/api/checkpoint', { as: 'text' }),

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

  /**
   * @param {number} id
   * @param {{offset: number, limit: number, query?: string, types?: string[], sort?: string}} how sort: a leading `-` turns it round
   * @param {AbortSignal} [signal]
   * @returns {Promise<AssetPage>}
   */
  assets: (id, how, signal) => get(`/api/collections/${id}/assets?${listing(how)}`, signal),
  /**
   * What a place and all below it hold, or the whole vault.
   * @param {{kind: 'home' | 'project' | 'collection', id: number}} within
   * @param {{offset: number, limit: number, query?: string, types?: string[], sort?: string}} how
   * @param {AbortSignal} [signal]
   * @returns {Promise<AssetPage>}
   */
  search({ kind, id }, how, signal) {
    const params = listing(how);
    if (kind !== 'home') params.set(kind, String(id));
    return get(`/api/search?${params}`, signal);
  },
  /** @param {number} id @param {AbortSignal} [signal] @returns {Promise<AssetDetails>} */
  details: (id, signal) => get(`/api/assets/${id}/preview`, signal),

  /** @param {number[]} ids @returns {Promise<{url: string}>} */
  ticket: (ids) => post('/api/downloads', { ids }),

  /** @param {string} id @returns {Promise<Upload>} */
  upload: (id) => get(`/api/uploads/${encodeURIComponent(id)}`),
  /** @returns {Promise<{uploads: Upload[]}>} */
  uploads: () => get('/api/uploads'),
  /** @param {Record<string, any>} fields @param {AbortSignal} [signal] @returns {Promise<Upload & {message: string}>} */
  completeUpload: (fields, signal) => post('/api/upload/complete', fields, signal),
  /**
   * One part of an upload.
   * @param {string} uploadId @param {number} index @param {Blob} body @param {Sending} [how]
   */
  sendPart: (uploadId, index, body, how) => send(
    `/api/upload/chunk?${new URLSearchParams({ upload_id: uploadId, chunk_index: String(index) })}`, body, how),
  /**
   * A whole file, to an address made by `addressOf.file`.
   * @param {string} address @param {Blob} body @param {Sending} [how] @returns {Promise<Upload & {message: string}>}
   */
  sendFile: (address, body, how) => send(address, body, how),
};

export const addressOf = {
  /** @param {number} id */
  bytes: (id) => `/api/assets/${id}`,
  /** @param {number} id */
  download: (id) => `/api/assets/${id}?download=1`,
  /** @param {'project' | 'collection'} kind @param {number} id */
  zip: (kind, id) => `/api/${kind}s/${id}/download`,
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
    const xhr = new XMLHttpRequest();
    xhr.open('POST', address);
    xhr.setRequestHeader('Content-Type', 'application/octet-stream');
    xhr.upload.onprogress = (event) => onProgress(event.loaded);
    xhr.onload = () => {
      try {
        const answer = settled(xhr.status, xhr.responseText, xhr.getResponseHeader('Retry-After'), 'json');
        onProgress(body.size);
        resolve(answer);
      } catch (error) {
        reject(error);
      }
    };
    xhr.onerror = () => reject(reported(new ApiError('The connection broke.', { status: 0, code: 'no_answer' })));
    xhr.onabort = () => reject(signal?.reason ?? new DOMException('Stopped', 'AbortError'));
    signal?.addEventListener('abort', () => xhr.abort(), { once: true });
    xhr.send(body);
  });
}
