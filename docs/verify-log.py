#!/usr/bin/env python3
"""Checks what CompactVault says about its log, with nothing but Python's standard library.

    verify-log.py vault FILE.vault CHECKPOINT         a vault against a kept checkpoint
    verify-log.py proof FILE PROOF CHECKPOINT         a file against its proof and a kept checkpoint
    verify-log.py tiles DIR CHECKPOINT                a log exported as tiles against a kept checkpoint

A further argument --key NAME+ID+KEY requires the checkpoint to be signed by that key (C2SP signed note, Ed25519);
for a vault, the key in entry 0 is used without being asked if the checkpoint has a signature of it. Formats:
docs/vault-format.md, c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof, c2sp.org/tlog-tiles.

Ends with 0 and a line that begins with "ok", or with 1 and a line that begins with "FAILED".
"""

import base64
import binascii
import hashlib
import json
import os
import sqlite3
import struct
import sys
import zlib

COLUMNS = ("seq kind version parent sealed_at name modified_s modified_ns executable size sha256 crc32 manifest "
           "body").split()
MAGIC = b"compactvault-entry/1\n"


class Failed(Exception):
    pass


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# The tree of RFC 6962, 2.1: whole subtrees from the left, joined when two of one size stand side by side.

def push(peaks, leaf_hash):
    size, node = 1, leaf_hash
    while peaks and peaks[-1][0] == size:
        node = sha256(b"\1", peaks.pop()[1], node)
        size *= 2
    peaks.append((size, node))


def root_of(peaks):
    node = None
    for _, peak in reversed(peaks):
        node = peak if node is None else sha256(b"\1", peak, node)
    return sha256() if node is None else node


def encode(row):
    """A row of the table `entry` as its leaf: docs/vault-format.md, "Leaves"."""
    leaf = [MAGIC]
    for value in row:
        if value is None:
            leaf.append(b"\0")
        elif isinstance(value, int):
            leaf.append(b"\1" + struct.pack(">q", value))
        elif isinstance(value, bytes):
            leaf.append(b"\2" + struct.pack(">I", len(value)) + value)
        else:
            raise Failed("an entry holds a value of a type that no leaf has")
    return b"".join(leaf)


def decode(leaf):
    """A leaf as a dictionary of its columns."""
    if not leaf.startswith(MAGIC):
        raise Failed("the leaf is not of a version that this script knows")
    at, row = len(MAGIC), {}
    try:
        for column in COLUMNS:
            kind, at = leaf[at], at + 1
            if kind == 0:
                row[column] = None
            elif kind == 1:
                row[column], at = struct.unpack_from(">q", leaf, at)[0], at + 8
            elif kind == 2:
                length, at = struct.unpack_from(">I", leaf, at)[0], at + 4
                row[column], at = leaf[at:at + length], at + length
            else:
                raise Failed("the leaf is malformed")
    except (IndexError, struct.error):
        raise Failed("the leaf ends early") from None
    if at != len(leaf) or encode(row.values()) != leaf:
        raise Failed("the leaf is malformed")
    return row


# Ed25519 (RFC 8032, 5.1.7), verification only. Slow, and the inputs are public, so timing does not matter.

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, d - c, d + c, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_mul(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point, scalar = point_add(point, point), scalar >> 1
    return result


def point_read(text):
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2 ** 255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_read(bytes.fromhex("58" + 31 * "66"))


def signature_is_good(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = point_read(key), point_read(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = point_mul(s, BASE), point_add(r, point_mul(k, a))
    return ((left[0] * right[2] - right[0] * left[2]) % P == 0
            and (left[1] * right[2] - right[1] * left[2]) % P == 0)


def b64(text, what):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Failed(f"{what} is not base64") from None


class Checkpoint:
    def __init__(self, text):
        text = text.replace("\r\n", "\n").strip("\n") + "\n"
        self.body, _, signatures = text.partition("\n\n")
        self.body = self.body.rstrip("\n") + "\n"
        lines = self.body.split("\n")
        if len(lines) < 4 or not lines[1].isdigit() or str(int(lines[1])) != lines[1]:
            raise Failed("this is no checkpoint")
        self.origin, self.size = lines[0], int(lines[1])
        self.root = b64(lines[2], "the checkpoint's root")
        if len(self.root) != 32 or self.size == 0:
            raise Failed("this is no checkpoint")
        self.signatures = [line[2:].rsplit(" ", 1) for line in signatures.split("\n") if line.startswith("\u2014 ")]

    def is_signed_by(self, verifier_key):
        """True, or False if there is no signature of that key; a wrong one of it is a failure."""
        name, key_id, key = verifier_key.split("+", 2)
        key = b64(key, "the key")
        if key[:1] != b"\1" or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
            raise Failed("the key is no Ed25519 key of a C2SP signed note")
        for signer, signature in self.signatures:
            signature = b64(signature, "a signature")
            if signer == name and signature[:4].hex() == key_id:
                if not signature_is_good(key[1:], self.body.encode(), signature[4:]):
                    raise Failed("the checkpoint's signature is wrong: it was changed after it was signed")
                return True
        return False


def read(path, mode="r"):
    with open(path, mode, **({} if "b" in mode else {"encoding": "utf-8", "newline": ""})) as file:
        return file.read()


def check_vault(path, checkpoint):
    uri = "file:" + "".join(c if c.isalnum() or c in "/._-" else "".join(f"%{b:02x}" for b in os.fsencode(c))
                            for c in os.path.abspath(path)) + "?mode=ro"
    connection = sqlite3.connect(uri, uri=True)
    peaks, seq = [], 0
    rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM entry WHERE seq < ? ORDER BY seq", (checkpoint.size,))
    for row in rows:
        if row[0] != seq:
            raise Failed(f"entry {seq} is missing")
        if seq == 0:
            about = json.loads(row[COLUMNS.index("body")])
            if checkpoint.origin != "compactvault/" + about["vault_id"]:
                raise Failed("the checkpoint is of another vault")
            signed = checkpoint.is_signed_by(about["public_key"])
        push(peaks, sha256(b"\0", encode(row)))
        seq += 1
    if seq < checkpoint.size:
        raise Failed(f"the vault has {seq} entries, the checkpoint covers {checkpoint.size}: it was rolled back")
    if root_of(peaks) != checkpoint.root:
        raise Failed("the first entries are not those that the checkpoint covers: damage, or history was rewritten")
    for name, digest in about.get("documents", {}).items():
        texts = connection.execute("SELECT text FROM document WHERE name = ?", (name,)).fetchall()
        if [hashlib.sha256(text.encode()).hexdigest() for (text,) in texts] != [digest]:
            raise Failed(f"the document {name} is not what entry 0 seals")
    return f"the vault begins with the {seq} entries of the checkpoint ({'signed' if signed else 'unsigned'})"


def check_proof(file, proof, checkpoint):
    head, _, note = read(proof).replace("\r\n", "\n").partition("\n\n")
    lines = head.split("\n")
    if len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") \
            or not lines[2].startswith("index ") or not lines[2][6:].isdigit():
        raise Failed("this is no proof that carries a leaf")
    leaf, index = b64(lines[1][6:], "the leaf"), int(lines[2][6:])
    hashes = [b64(line, "a hash") for line in lines[3:]]
    made_for = Checkpoint(note)
    if made_for.origin != checkpoint.origin:
        raise Failed("proof and checkpoint are of different vaults")
    if made_for.size != checkpoint.size:
        raise Failed(f"the proof is for a log of {made_for.size} entries, the checkpoint covers {checkpoint.size}")
    # RFC 9162, 2.1.3.2.
    if index >= checkpoint.size:
        raise Failed("the entry lies beyond the checkpoint")
    fn, sn, node = index, checkpoint.size - 1, sha256(b"\0", leaf)
    for sibling in hashes:
        if len(sibling) != 32 or sn == 0:
            raise Failed("the proof has hashes that lead nowhere")
        if fn & 1 or fn == sn:
            node = sha256(b"\1", sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\1", node, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or node != checkpoint.root:
        raise Failed("the proof does not lead to the checkpoint's root")
    entry = decode(leaf)
    if (entry["seq"], entry["kind"], entry["version"]) != (index, 4, 1):
        raise Failed("the entry is no asset, or another one")
    digest, crc, size = hashlib.sha256(), 0, 0
    with open(file, "rb") as source:
        while piece := source.read(1 << 20):
            digest.update(piece)
            crc, size = zlib.crc32(piece, crc), size + len(piece)
    if (size, digest.digest(), crc) != (entry["size"], entry["sha256"], entry["crc32"]):
        raise Failed("the file is not the one that was sealed")
    return f"the file is {entry['name']!r}, entry {index}, sealed at {entry['sealed_at']} ms after 1970 (UTC)"


def tile_name(level, number, width):
    name = f"{number % 1000:03}"
    while number := number // 1000:
        name = f"x{number % 1000:03}/{name}"
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def check_tiles(folder, checkpoint):
    peaks, hashes = [], []
    for number in range(0, (checkpoint.size + 255) // 256):
        width = min(256, checkpoint.size - 256 * number)
        bundle, at = read(os.path.join(folder, tile_name("entries", number, width)), "rb"), 0
        for _ in range(width):
            length = int.from_bytes(bundle[at:at + 2], "big")
            leaf, at = bundle[at + 2:at + 2 + length], at + 2 + length
            hashes.append(sha256(b"\0", leaf))
            push(peaks, hashes[-1])
        if at != len(bundle):
            raise Failed(f"{tile_name('entries', number, width)} has not {width} entries")
    if root_of(peaks) != checkpoint.root:
        raise Failed("the entries in the tiles do not give the checkpoint's root")
    level, tiles = 0, 0
    while hashes:
        whole = []
        for start in range(0, len(hashes), 256):
            part = hashes[start:start + 256]
            name = tile_name(level, start // 256, len(part))
            if read(os.path.join(folder, name), "rb") != b"".join(part):
                raise Failed(f"{name} does not agree with the entries")
            tiles += 1
            if len(part) == 256:
                peaks = []
                for node in part:
                    push(peaks, node)
                whole.append(root_of(peaks))
        hashes, level = whole, level + 1
    return f"{tiles} tiles of hashes and the {checkpoint.size} entries below them give the checkpoint's root"


def main(arguments):
    key = None
    if "--key" in arguments[:-1]:
        at = arguments.index("--key")
        key = arguments[at + 1]
        arguments = arguments[:at] + arguments[at + 2:]
    checks = {"vault": (check_vault, 2), "proof": (check_proof, 3), "tiles": (check_tiles, 2)}
    if not arguments or arguments[0] not in checks or len(arguments) - 1 != checks[arguments[0]][1]:
        print(__doc__, file=sys.stderr)
        return 2
    check, *inputs, kept = arguments
    try:
        checkpoint = Checkpoint(read(kept))
        if key and not checkpoint.is_signed_by(key):
            raise Failed("the checkpoint is not signed by that key")
        print("ok:", checks[check][0](*inputs, checkpoint))
        return 0
    except (Failed, OSError, ValueError, KeyError, sqlite3.Error) as error:
        print("FAILED:", error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
