-- The first schema. Ids of things are 16-byte UUIDs, hashes 32 bytes, extents 20 bytes (writer,
-- number, offset, length, big-endian), times microseconds since the Unix epoch. Text compares byte
-- by byte.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username TEXT NOT NULL UNIQUE CHECK (username <> ''),
    email TEXT NOT NULL,
    full_name TEXT NOT NULL,
    password_hash TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_email ON users (email) WHERE email <> '';

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    hint TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_user ON api_keys (user, created_at) WHERE revoked_at IS NULL;

CREATE TABLE organizations (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX organizations_name ON organizations (name) WHERE deleted_at IS NULL;

CREATE TABLE members (
    organization BLOB NOT NULL REFERENCES organizations (id),
    user BLOB NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (organization, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user);

CREATE TABLE repositories (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    organization BLOB NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
    retention_days INTEGER CHECK (retention_days >= 0),
    session_max_duration_days INTEGER NOT NULL CHECK (session_max_duration_days >= 0),
    created_by BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    head BLOB,
    deleted_at INTEGER,
    FOREIGN KEY (id, head) REFERENCES commits (repository, id)
) STRICT;
CREATE UNIQUE INDEX repositories_name ON repositories (organization, name) WHERE deleted_at IS NULL;

CREATE TABLE connectors (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    organization BLOB NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('s3', 'gcs')),
    source_uri TEXT NOT NULL,
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_by BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX connectors_name ON connectors (organization, name) WHERE deleted_at IS NULL;

-- Sealed configs of live connectors. A row keeps less than a page (4096 bytes) in the b-tree; the
-- padding before `sealed` fills that share, so that the config lies on overflow pages alone. Those
-- are zeroed when the row goes (secure_delete), and never copied when pages are balanced, which
-- could leave remnants elsewhere.
CREATE TABLE sealed_configs (
    connector BLOB NOT NULL REFERENCES connectors (id),
    padding BLOB NOT NULL DEFAULT (zeroblob(4096)) CHECK (length(padding) = 4096),
    sealed TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX sealed_configs_connector ON sealed_configs (connector);

CREATE TABLE attachments (
    repository BLOB NOT NULL REFERENCES repositories (id),
    connector BLOB NOT NULL REFERENCES connectors (id),
    attached_at INTEGER NOT NULL,
    PRIMARY KEY (repository, connector)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachments_connector ON attachments (connector);

CREATE TABLE commits (
    repository BLOB NOT NULL REFERENCES repositories (id),
    id BLOB NOT NULL CHECK (length(id) = 32),
    parent BLOB,
    root_page BLOB CHECK (length(root_page) = 20),
    root_level INTEGER NOT NULL CHECK (root_level BETWEEN 0 AND 255),
    root_hash BLOB NOT NULL CHECK (length(root_hash) = 32),
    root_entries INTEGER NOT NULL CHECK (root_entries >= 0),
    root_bytes INTEGER NOT NULL CHECK (root_bytes >= 0),
    message TEXT NOT NULL,
    committer BLOB NOT NULL REFERENCES users (id),
    committer_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    metadata TEXT NOT NULL CHECK (json_valid(metadata)),
    superseded_at INTEGER,
    -- The import that made it: one job has at most one commit.
    job BLOB UNIQUE REFERENCES jobs (id),
    PRIMARY KEY (repository, id),
    FOREIGN KEY (repository, parent) REFERENCES commits (repository, id)
) STRICT, WITHOUT ROWID;
-- History is a line: no two commits of a repository have the same parent, and only one has none.
CREATE UNIQUE INDEX commits_line ON commits (repository, ifnull(parent, x''));

CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    repository BLOB NOT NULL REFERENCES repositories (id),
    connector BLOB NOT NULL REFERENCES connectors (id),
    source_prefix TEXT NOT NULL,
    destination_path TEXT NOT NULL,
    commit_message TEXT NOT NULL,
    created_by BLOB NOT NULL REFERENCES users (id),
    idempotency_key TEXT,
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'canceled')),
    objects_imported INTEGER NOT NULL DEFAULT 0 CHECK (objects_imported >= 0),
    objects_missing INTEGER NOT NULL DEFAULT 0 CHECK (objects_missing >= 0),
    bytes_imported INTEGER NOT NULL DEFAULT 0 CHECK (bytes_imported >= 0),
    commit_id BLOB CHECK (commit_id IS NULL OR status = 'completed'),
    error TEXT CHECK ((error IS NOT NULL) = (status = 'failed')),
    base BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Rises with every claim; a write that carries an older one is refused.
    epoch INTEGER NOT NULL DEFAULT 0,
    -- Claims since the last checkpoint.
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    owner TEXT CHECK ((owner IS NOT NULL) = (status = 'running')),
    -- Milliseconds since the Unix epoch by the clock of the database.
    lease_until_ms INTEGER CHECK ((lease_until_ms IS NOT NULL) = (status = 'running')),
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    CHECK (status <> 'canceled' OR cancel_requested = 1),
    FOREIGN KEY (repository, commit_id) REFERENCES commits (repository, id),
    FOREIGN KEY (repository, base) REFERENCES commits (repository, id)
) STRICT;
CREATE INDEX jobs_open ON jobs (created_at) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_ended ON jobs (updated_at) WHERE status IN ('failed', 'canceled');
CREATE INDEX jobs_idempotency ON jobs (repository, created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- Who writes segments: one row for each claim. An id is never given twice.
CREATE TABLE writers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job BLOB NOT NULL REFERENCES jobs (id),
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (job, epoch)
) STRICT;

CREATE TABLE segments (
    writer INTEGER NOT NULL REFERENCES writers (id),
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    repository BLOB NOT NULL REFERENCES repositories (id),
    file TEXT NOT NULL,
    length INTEGER NOT NULL CHECK (length >= 0),
    directory BLOB NOT NULL CHECK (length(directory) = 32),
    PRIMARY KEY (writer, number)
) STRICT, WITHOUT ROWID;

-- How far a range of a job's listing is. A job has no row before its first checkpoint.
CREATE TABLE shards (
    job BLOB NOT NULL REFERENCES jobs (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    start_key BLOB,
    end_key BLOB,
    state TEXT NOT NULL CHECK (json_valid(state)),
    PRIMARY KEY (job, number)
) STRICT;

CREATE TABLE runs (
    job BLOB NOT NULL,
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    extent BLOB NOT NULL CHECK (length(extent) = 20),
    entries INTEGER NOT NULL CHECK (entries > 0),
    first_path BLOB NOT NULL,
    last_path BLOB NOT NULL CHECK (last_path >= first_path),
    PRIMARY KEY (job, shard, number),
    FOREIGN KEY (job, shard) REFERENCES shards (job, number)
) STRICT, WITHOUT ROWID;
