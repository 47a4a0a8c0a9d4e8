// Real files of every kind, from named Debian packages: fetched once, unpacked without being installed, and kept under
// `target/` for the next run. Nothing here was made for these tests.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readSync, readdirSync, closeSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const KEPT = fileURLToPath(new URL('../../target/test-packages/', import.meta.url));

/** The packages of each kind, some 100 MB in all, and which of their files. @type {Record<string, {packages: string[], files: RegExp}>} */
const KINDS = {
  pictures: { packages: ['gnome-user-docs'], files: /\/C\/gnome-help\/figures\/[^/]+\.(?:png|jpe?g)$/ },
  drawings: { packages: ['tango-icon-theme'], files: /\/scalable\/(?:status|places)\/[^/]+\.svg$/ },
  sounds: { packages: ['sound-icons', 'sound-theme-freedesktop'], files: /\.(?:wav|oga)$/ },
  videos: {
    packages: ['gnome-user-docs', 'forensics-samples-files', 'openboard-common'],
    files: /(?:\/C\/gnome-help\/figures\/[^/]+\.webm|\/original-files\/movie\d\/[^/]+\.(?:mp4|avi)|\/library\/videos\/[^/]+\.mp4)$/,
  },
  papers: { packages: ['glpk-doc'], files: /\.pdf$/ },
  markdown: { packages: ['librust-regex-dev'], files: /\.md$/ },
  tables: { packages: ['ieee-data', 'distro-info-data'], files: /\.csv$/ },
  archives: { packages: ['junit4', 'libhamcrest-java', 'libcommons-cli-java', 'bash-doc'], files: /\.(?:jar|tar\.gz)$/ },
  models: { packages: ['openscad', 'admesh', 'minetest-mod-basic-materials'], files: /\.(?:stl|obj)$/ },
  scenes: {
    packages: ['assimp-testmodels'],
    files: /\/glTF2\/(?:2CylinderEngine-glTF-Binary|BoxTextured-glTF-(?:Binary|Embedded)|BoxBadNormals-glTF-Binary|simple_skin|issue_3269)\/[^/]+\.gl(?:b|tf)$/,
  },
  fonts: { packages: ['fonts-font-awesome', 'fonts-dejavu-core'], files: /\.(?:ttf|otf|woff2?)$/ },
  texts: { packages: ['librust-regex-dev', 'openscad'], files: /\.(?:rs|toml|scad)$/ },
};

/** @param {string} program @param {string[]} words @param {string} [folder] */
function run(program, words, folder) {
  const done = spawnSync(program, words, { cwd: folder, encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  return { ok: done.status === 0, said: `${done.stdout ?? ''}${done.stderr ?? ''}${done.error ?? ''}` };
}

/** The folder of an unpacked package. @param {string} name */
function unpacked(name) {
  const folder = path.join(KEPT, name);
  if (existsSync(folder)) return folder;
  mkdirSync(KEPT, { recursive: true });
  // Unpacked beside, then moved: a run that breaks off leaves no half of a package to the next.
  const making = mkdtempSync(path.join(KEPT, '.making-'));
  try {
    const fetch = () => run('apt-get', ['download', '--quiet', name], making);
    let fetched = fetch();
    if (!fetched.ok) {
      const root = process.getuid?.() === 0;
      run(root ? 'apt-get' : 'sudo', [...(root ? [] : ['apt-get']), 'update', '--quiet']);
      fetched = fetch();
    }
    assert.ok(fetched.ok, `the package ${name} can be had by apt-get download, on Debian and its relatives:\n${fetched.said}`);
    const file = readdirSync(making).find((each) => each.endsWith('.deb'));
    const opened = run('dpkg-deb', ['-x', path.join(making, file ?? ''), path.join(making, 'tree')]);
    assert.ok(opened.ok, opened.said);
    renameSync(path.join(making, 'tree'), folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Copies files of a kind into a folder of their own: the largest, then others spread over the rest; and one more, the
 * largest cut short.
 * @param {string} kind @param {string} folder @param {{count?: number, cut?: number}} [how] cut: which part of the largest is kept
 * @returns {{names: string[], largest: string, cut: string}}
 */
export function filesOfKind(kind, folder, { count = 5, cut = 0.6 } = {}) {
  const { packages, files } = KINDS[kind];
  const found = packages.flatMap((name) => {
    const root = unpacked(name);
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && files.test(path.join(entry.parentPath ?? entry.path, entry.name)))
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  });
  const bySize = [...new Map(found.map((file) => [path.basename(file), file])).values()].sort((a, b) => statSync(b).size - statSync(a).size || (a < b ? -1 : 1));
  assert.ok(bySize.length > 0, `the packages ${packages.join(', ')} hold files for ${kind}`);
  const taken = Array.from({ length: Math.min(count, bySize.length) }, (_, i) => bySize[Math.floor((i * bySize.length) / Math.min(count, bySize.length))]);
  mkdirSync(folder, { recursive: true });
  for (const file of taken) copyFileSync(file, path.join(folder, path.basename(file)));
  const [largest] = taken;
  const short = `cut short ${path.basename(largest)}`;
  const bytes = Buffer.alloc(Math.max(1, Math.floor(statSync(largest).size * cut)));
  const descriptor = openSync(largest, 'r');
  readSync(descriptor, bytes, 0, bytes.length, 0);
  closeSync(descriptor);
  writeFileSync(path.join(folder, short), bytes);
  return { names: taken.map((file) => path.basename(file)), largest: path.basename(largest), cut: short };
}
