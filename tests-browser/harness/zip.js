// Reads ZIP files of stored members, ZIP64 included, and fails on anything a careful reader would object to. Written from
// APPNOTE, not from our writer, and backed by `unzip -t` as a reader that shares no code with either.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import zlib from 'node:zlib';

/** @typedef {{name: string, bytes: Buffer, modifiedSeconds: number | null, mode: number}} Member */

/** @param {string} file @returns {Member[]} files and folders in order of the central directory */
export function readZip(file) {
  const tested = spawnSync('unzip', ['-tqq', file], { encoding: 'utf8' });
  assert.equal(tested.status, 0, `unzip -t is content: ${tested.stdout}${tested.stderr}${tested.error ?? ''}`);
  const fd = openSync(file, 'r');
  try {
    return readMembers(fd);
  } finally {
    closeSync(fd);
  }
}

/** @param {number} fd */
function readMembers(fd) {
  const { size } = fstatSync(fd);
  const tail = bytesAt(fd, Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  assert.notEqual(end, -1, 'there is an end record');
  let count = tail.readUInt16LE(end + 10);
  let length = tail.readUInt32LE(end + 12);
  let offset = tail.readUInt32LE(end + 16);
  if (count === 0xffff || length === 0xffffffff || offset === 0xffffffff) {
    const locator = tail.subarray(end - 20, end);
    assert.equal(locator.toString('latin1', 0, 4), 'PK\x06\x07', 'a ZIP64 locator stands before the end record');
    const end64 = bytesAt(fd, Number(locator.readBigUInt64LE(8)), 56);
    assert.equal(end64.toString('latin1', 0, 4), 'PK\x06\x06');
    count = Number(end64.readBigUInt64LE(32));
    length = Number(end64.readBigUInt64LE(40));
    offset = Number(end64.readBigUInt64LE(48));
  }
  const directory = bytesAt(fd, offset, length);
  const members = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const record = centralRecord(directory.subarray(at));
    members.push(readMember(fd, record));
    at += record.length;
  }
  assert.equal(at, length, 'the central directory is as long as it says');
  assert.equal(new Set(members.map(({ name }) => name)).size, count, 'no name occurs twice');
  return members;
}

/** @param {Buffer} record */
function centralRecord(record) {
  assert.equal(record.toString('latin1', 0, 4), 'PK\x01\x02');
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((at) => record.readUInt16LE(at));
  const name = record.toString('utf8', 46, 46 + nameBytes);
  assert.ok(record.readUInt16LE(8) & 0x800 || /^[\x20-\x7e]*$/.test(name), `${name} is marked as UTF-8`);
  assert.ok(!name.startsWith('/') && !name.split('/').includes('..'), `${name} stays in the folder it is unpacked to`);
  const found = {
    name,
    method: record.readUInt16LE(10),
    crc32: record.readUInt32LE(16),
    size: record.readUInt32LE(24),
    mode: record.readUInt32LE(38) >>> 16,
    offset: record.readUInt32LE(42),
    modifiedSeconds: /** @type {number | null} */ (null),
    length: 46 + nameBytes + extraBytes + commentBytes,
  };
  let extra = record.subarray(46 + nameBytes, 46 + nameBytes + extraBytes);
  while (extra.length >= 4) {
    const content = extra.subarray(4, 4 + extra.readUInt16LE(2));
    if (extra.readUInt16LE(0) === 0x5455) found.modifiedSeconds = content.readInt32LE(1);
    if (extra.readUInt16LE(0) === 0x0001) {
      let at = 0;
      const next = () => Number(content.readBigUInt64LE((at += 8) - 8));
      if (found.size === 0xffffffff) {
        found.size = next();
        next();
      }
      if (found.offset === 0xffffffff) found.offset = next();
    }
    extra = extra.subarray(4 + content.length);
  }
  return found;
}

/** @param {number} fd @param {ReturnType<typeof centralRecord>} record @returns {Member} */
function readMember(fd, { name, method, crc32, size, mode, offset, modifiedSeconds }) {
  const header = bytesAt(fd, offset, 30);
  assert.equal(header.toString('latin1', 0, 4), 'PK\x03\x04', `${name} has a local header`);
  assert.equal(method, 0, `${name} is stored`);
  const bytes = bytesAt(fd, offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28), size);
  // Node has it since 20.15; `unzip -t` compared it in any case.
  if (zlib.crc32) assert.equal(zlib.crc32(bytes), crc32, `the CRC-32 of ${name}`);
  return { name, bytes, modifiedSeconds, mode };
}

/** @param {number} fd @param {number} position @param {number} length */
function bytesAt(fd, position, length) {
  const bytes = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const got = readSync(fd, bytes, read, length - read, position + read);
    assert.notEqual(got, 0, 'the file is as long as its directory says');
    read += got;
  }
  return bytes;
}
