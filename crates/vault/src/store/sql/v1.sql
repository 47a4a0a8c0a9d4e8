-- Container version 1. What a row means is written in docs/vault-format.md; here stand the rules it is held to.
-- Sealed tables take new rows and nothing else: the triggers below refuse UPDATE, DELETE and an INSERT that would
-- replace a row. Tables whose names begin with "derived_" can be rebuilt from the sealed ones at any time.

-- The log: one row an entry, one entry a leaf of the Merkle tree.
CREATE TABLE entry (
  seq         INTEGER PRIMARY KEY CHECK (seq >= 0),       -- position in the log, from 0
  kind        INTEGER NOT NULL,                           -- 1 vault 2 project 3 collection 4 asset 5 link
  version     INTEGER NOT NULL,                           -- of how this kind's columns are understood
  parent      INTEGER,                                    -- seq of the entry it hangs in
  sealed_at   INTEGER NOT NULL,                           -- Unix milliseconds
  name        BLOB CHECK (length(name) BETWEEN 1 AND 1024),
  modified_s  INTEGER,                                    -- source's modification time: Unix seconds
  modified_ns INTEGER CHECK (modified_ns BETWEEN 0 AND 999999999),
  executable  INTEGER CHECK (executable IN (0, 1)),
  size        INTEGER CHECK (size >= 0),                  -- bytes
  sha256      BLOB CHECK (length(sha256) = 32),           -- of the whole file
  crc32       INTEGER CHECK (crc32 BETWEEN 0 AND 4294967295),
  manifest    BLOB CHECK (length(manifest) = 32),         -- manifest.sha256; NULL: the file is one chunk, or empty
  body        BLOB,                                       -- JSON for kinds 1-3, the target for 5
  leaf        BLOB NOT NULL CHECK (length(leaf) = 32)     -- RFC 6962 leaf hash of the columns before
) STRICT;

-- Roots of the log, one a commit.
CREATE TABLE root (
  size        INTEGER PRIMARY KEY CHECK (size > 0),       -- entries it covers
  sha256      BLOB NOT NULL CHECK (length(sha256) = 32)   -- RFC 6962 tree hash
) STRICT;

-- Roots of complete subtrees of 256^level leaves, so that proofs need not read every leaf.
CREATE TABLE subtree (
  id          INTEGER PRIMARY KEY,                        -- level << 48 | position
  sha256      BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;

-- Ordered chunks of an asset that has more than one.
CREATE TABLE manifest (
  id          INTEGER PRIMARY KEY,
  sha256      BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),     -- of records
  records     BLOB NOT NULL CHECK (length(records) % 36 = 0)        -- a chunk's SHA-256, its size in 4 bytes big-endian; repeated
) STRICT;

-- Where a chunk lies: size bytes at offset of the decoded pack.
CREATE TABLE chunk (
  id          INTEGER PRIMARY KEY,
  sha256      BLOB NOT NULL CHECK (length(sha256) = 32),            -- of the chunk
  pack        INTEGER NOT NULL,
  offset      INTEGER NOT NULL CHECK (offset >= 0),
  size        INTEGER NOT NULL CHECK (size > 0)
) STRICT;

-- A prefix of the hash is enough to find it and keeps the index at a third of the size.
CREATE INDEX chunk_by_prefix ON chunk (substr(sha256, 1, 8));

-- Chunks compressed together.
CREATE TABLE pack (
  id          INTEGER PRIMARY KEY,
  codec       INTEGER NOT NULL CHECK (codec IN (0, 1)),             -- 0 stored, 1 one zstd frame
  raw_size    INTEGER NOT NULL CHECK (raw_size > 0),                -- bytes when decoded
  sha256      BLOB NOT NULL CHECK (length(sha256) = 32),            -- of data
  data        BLOB NOT NULL
) STRICT;

-- For people who have nothing but this file: how it is laid out, and how to get everything out with stock tools.
CREATE TABLE document (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,                                        -- as a file name
  text        TEXT NOT NULL                                         -- Markdown
) STRICT;

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'sealed: entries are never changed'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'sealed: entries are never deleted'); END;
CREATE TRIGGER entry_is_never_replaced BEFORE INSERT ON entry WHEN EXISTS (SELECT 1 FROM entry WHERE seq = NEW.seq)
  BEGIN SELECT RAISE(ABORT, 'sealed: entries are never replaced'); END;

CREATE TRIGGER root_is_never_changed BEFORE UPDATE ON root BEGIN SELECT RAISE(ABORT, 'sealed: roots are never changed'); END;
CREATE TRIGGER root_is_never_deleted BEFORE DELETE ON root BEGIN SELECT RAISE(ABORT, 'sealed: roots are never deleted'); END;
CREATE TRIGGER root_is_never_replaced BEFORE INSERT ON root WHEN EXISTS (SELECT 1 FROM root WHERE size = NEW.size)
  BEGIN SELECT RAISE(ABORT, 'sealed: roots are never replaced'); END;

CREATE TRIGGER subtree_is_never_changed BEFORE UPDATE ON subtree BEGIN SELECT RAISE(ABORT, 'sealed: subtrees are never changed'); END;
CREATE TRIGGER subtree_is_never_deleted BEFORE DELETE ON subtree BEGIN SELECT RAISE(ABORT, 'sealed: subtrees are never deleted'); END;
CREATE TRIGGER subtree_is_never_replaced BEFORE INSERT ON subtree WHEN EXISTS (SELECT 1 FROM subtree WHERE id = NEW.id)
  BEGIN SELECT RAISE(ABORT, 'sealed: subtrees are never replaced'); END;

CREATE TRIGGER manifest_is_never_changed BEFORE UPDATE ON manifest BEGIN SELECT RAISE(ABORT, 'sealed: manifests are never changed'); END;
CREATE TRIGGER manifest_is_never_deleted BEFORE DELETE ON manifest BEGIN SELECT RAISE(ABORT, 'sealed: manifests are never deleted'); END;
CREATE TRIGGER manifest_is_never_replaced BEFORE INSERT ON manifest
  WHEN EXISTS (SELECT 1 FROM manifest WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM manifest WHERE sha256 = NEW.sha256)
  BEGIN SELECT RAISE(ABORT, 'sealed: manifests are never replaced'); END;

CREATE TRIGGER chunk_is_never_changed BEFORE UPDATE ON chunk BEGIN SELECT RAISE(ABORT, 'sealed: chunks are never changed'); END;
CREATE TRIGGER chunk_is_never_deleted BEFORE DELETE ON chunk BEGIN SELECT RAISE(ABORT, 'sealed: chunks are never deleted'); END;
CREATE TRIGGER chunk_is_never_replaced BEFORE INSERT ON chunk WHEN EXISTS (SELECT 1 FROM chunk WHERE id = NEW.id)
  BEGIN SELECT RAISE(ABORT, 'sealed: chunks are never replaced'); END;

CREATE TRIGGER pack_is_never_changed BEFORE UPDATE ON pack BEGIN SELECT RAISE(ABORT, 'sealed: packs are never changed'); END;
CREATE TRIGGER pack_is_never_deleted BEFORE DELETE ON pack BEGIN SELECT RAISE(ABORT, 'sealed: packs are never deleted'); END;
CREATE TRIGGER pack_is_never_replaced BEFORE INSERT ON pack WHEN EXISTS (SELECT 1 FROM pack WHERE id = NEW.id)
  BEGIN SELECT RAISE(ABORT, 'sealed: packs are never replaced'); END;

CREATE TRIGGER document_is_never_changed BEFORE UPDATE ON document BEGIN SELECT RAISE(ABORT, 'sealed: documents are never changed'); END;
CREATE TRIGGER document_is_never_deleted BEFORE DELETE ON document BEGIN SELECT RAISE(ABORT, 'sealed: documents are never deleted'); END;
CREATE TRIGGER document_is_never_replaced BEFORE INSERT ON document WHEN EXISTS (SELECT 1 FROM document WHERE id = NEW.id)
  BEGIN SELECT RAISE(ABORT, 'sealed: documents are never replaced'); END;

-- Derived rows carry a CRC-32 of themselves: people act on what a list shows, so a damaged row must not pass for one.

-- Derived: what hangs where, in natural order.
CREATE TABLE derived_listing (
  seq         INTEGER PRIMARY KEY,
  parent      INTEGER NOT NULL,
  section     INTEGER NOT NULL,                           -- 0 projects and collections, 1 assets, 2 links
  newest      INTEGER NOT NULL,                           -- 1: the newest version of its name there
  version     INTEGER NOT NULL,                           -- 1 for the first entry of its name there, and so on
  media       INTEGER NOT NULL,                           -- media type's code; 0 for what is no asset
  sort_key    BLOB NOT NULL,                              -- bytes whose order is the natural order of names; ends in the name
  sum         INTEGER NOT NULL                            -- of the columns before
) STRICT;

CREATE INDEX derived_listing_by_name ON derived_listing (parent, section, newest, sort_key, version, media, sum);

-- Derived: what each place counts, the vault (place 0) included; assets are newest ones, for a project those of all
-- its collections.
CREATE TABLE derived_tally (
  place        INTEGER PRIMARY KEY,
  collections  INTEGER NOT NULL,                          -- directly in it; for the vault: projects
  links        INTEGER NOT NULL,
  old_assets   INTEGER NOT NULL,                          -- superseded versions
  old_links    INTEGER NOT NULL,
  text_items   INTEGER NOT NULL,
  text_bytes   INTEGER NOT NULL,
  image_items  INTEGER NOT NULL,
  image_bytes  INTEGER NOT NULL,
  audio_items  INTEGER NOT NULL,
  audio_bytes  INTEGER NOT NULL,
  video_items  INTEGER NOT NULL,
  video_bytes  INTEGER NOT NULL,
  model_items  INTEGER NOT NULL,
  model_bytes  INTEGER NOT NULL,
  binary_items INTEGER NOT NULL,
  binary_bytes INTEGER NOT NULL,
  sum          INTEGER NOT NULL
) STRICT;

-- Derived: figures about the whole vault, and the version of the code that made all derived data.
CREATE TABLE derived_fact (
  id          INTEGER PRIMARY KEY,
  value       INTEGER NOT NULL
) STRICT;

-- Derived: chunks that were sealed ahead of the asset they belong to.
CREATE TABLE derived_unreferenced (
  chunk       INTEGER PRIMARY KEY
) STRICT;

-- Derived: Reed-Solomon parity over the sealed rows, and the descriptors that say what it covers. Each row stands
-- on its own, so that it is found in a file of which nothing else is left.
CREATE TABLE derived_parity (
  id          INTEGER PRIMARY KEY,                        -- stripe << 16 | number of the row in it
  data        BLOB NOT NULL
) STRICT;

-- Derived: when each part of the vault was last found to be as it was sealed.
CREATE TABLE derived_scrub (
  part        INTEGER PRIMARY KEY,                        -- 0: all but packs; n: the n-th 64 packs
  verified_at INTEGER NOT NULL                            -- Unix milliseconds
) STRICT;
