// Starts and stops the real program, as a person in a terminal would: in a folder of its own, on a free port, ended with
// Ctrl+C. Knows nothing of the page.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const BUILT = fileURLToPath(new URL('../../target/debug/compactvault', import.meta.url));
const PROGRAM = process.env.COMPACTVAULT_PROGRAM ?? BUILT;
const START_MS = 30_000;
/** The server promises to drain within 30 s by default. */
const STOP_MS = 45_000;

/** An empty folder, removed when the test file's process ends. @param {string} purpose */
export function temporaryFolder(purpose) {
  const folder = mkdtempSync(path.join(tmpdir(), `compactvault-${purpose}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a command of the program to its end. @param {string[]} words @param {{folder: string, state: string}} place */
export function run(words, { folder, state }) {
  const done = spawnSync(PROGRAM, words, {
    cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28, env: environment(state),
  });
  if (done.error) throw done.error;
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

/**
 * @typedef {{folder: string, state: string, address: string, origin: string, stop: () => Promise<void>, kill: () => Promise<void>,
 *   again: () => Promise<Server>}} Server address: with the token, as the person gets it; again: where it was, after it ended
 */

/**
 * @param {{folder?: string, state?: string, listen?: string, password?: string}} [where] with a password, the address has no token
 * @returns {Promise<Server>}
 */
export async function startServer({ folder = temporaryFolder('served'), state = temporaryFolder('state'), listen = '127.0.0.1:0', password } = {}) {
  // While the page is worked on, its files are served as they are: COMPACTVAULT_TEST_PAGE names their folder.
  const page = process.env.COMPACTVAULT_TEST_PAGE ? ['--assets', process.env.COMPACTVAULT_TEST_PAGE] : [];
  const words = ['serve', '--dir', folder, '--listen', listen, '--no-open', '--state-dir', state, ...page];
  const child = spawn(PROGRAM, words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: environment(state, password) });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  // Ends with us even when a test breaks off: a server left over would hold the port and the folder.
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);

  let output = '';
  const address = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no address within ${START_MS} ms:\n${output}`)), START_MS);
    const read = (/** @type {Buffer} */ chunk) => {
      output += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+\/(?:\?token=[\w.~-]+)?(?=\s)/.exec(output);
      if (found) {
        clearTimeout(late);
        resolve(found[0]);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`the server ended with ${code} before it gave an address:\n${output}`));
    });
  });

  async function stop() {
    child.kill('SIGINT');
    let timer;
    const late = new Promise((resolve) => { timer = setTimeout(() => resolve(null), STOP_MS); });
    const end = await Promise.race([ended, late]);
    clearTimeout(timer);
    process.off('exit', kill);
    if (!end) kill();
    assert.deepEqual(end, { code: 0, signal: null }, `Ctrl+C ends the server well:\n${output.slice(-4000)}`);
  }

  async function end() {
    process.off('exit', kill);
    kill();
    await ended;
  }

  const { origin, host } = new URL(address);
  return { folder, state, address, origin, stop, kill: end, again: () => startServer({ folder, state, listen: host, password }) };
}

/** After a stop there is the vault and nothing else. @param {string} folder */
export function assertOneVaultAlone(folder) {
  const names = readdirSync(folder);
  assert.equal(names.length, 1, `exactly one file is left, not ${names.join(', ')}`);
  assert.match(names[0], /\.vault$/);
  return path.join(folder, names[0]);
}

/** Settings of the person's own environment must not reach the program. @param {string} state @param {string} [password] */
function environment(state, password) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('COMPACTVAULT_'));
  return { ...Object.fromEntries(kept), XDG_STATE_HOME: state, XDG_CACHE_HOME: state, NO_COLOR: '1', ...(password && { COMPACTVAULT_PASSWORD: password }) };
}
