-- Imports from repositories, with options, progress and previews; the collection. `jobs` and
-- `writers` are made anew, because a column that was NOT NULL no longer is: foreign keys are off
-- meanwhile, and checked before the step counts.

CREATE TABLE jobs_made_anew (
    -- The order in which jobs were made, where two have the same time.
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    repository BLOB NOT NULL REFERENCES repositories (id),
    -- The source: a connector or a repository.
    connector BLOB REFERENCES connectors (id),
    source_repository BLOB REFERENCES repositories (id),
    -- How the source repository was called when the job was created.
    source_organization_name TEXT
        CHECK ((source_organization_name IS NULL) = (source_repository IS NULL)),
    source_repository_name TEXT
        CHECK ((source_repository_name IS NULL) = (source_repository IS NULL)),
    source_commit BLOB CHECK (source_commit IS NULL OR source_repository IS NOT NULL),
    source_prefix TEXT NOT NULL,
    destination_path TEXT NOT NULL,
    commit_message TEXT NOT NULL,
    created_by BLOB NOT NULL REFERENCES users (id),
    options TEXT NOT NULL CHECK (json_valid(options)),
    idempotency_key TEXT,
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'canceled')),
    progress TEXT NOT NULL CHECK (json_valid(progress)),
    preview TEXT CHECK (preview IS NULL OR json_valid(preview) AND status = 'completed'),
    commit_id BLOB CHECK (commit_id IS NULL OR status = 'completed'),
    error TEXT CHECK ((error IS NOT NULL) = (status = 'failed')),
    base BLOB,
    -- The ended job whose runs this one may take entries from.
    prior BLOB REFERENCES jobs (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Since when it waits for a worker: the order of the queue.
    queued_at INTEGER NOT NULL,
    -- Rises with every claim; a write that carries an older one is refused.
    epoch INTEGER NOT NULL DEFAULT 0,
    -- Claims since the last checkpoint.
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    owner TEXT CHECK ((owner IS NOT NULL) = (status = 'running')),
    -- Milliseconds since the Unix epoch by the clock of the database.
    lease_until_ms INTEGER CHECK ((lease_until_ms IS NOT NULL) = (status = 'running')),
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    CHECK ((connector IS NULL) <> (source_repository IS NULL)),
    CHECK (status <> 'canceled' OR cancel_requested = 1),
    FOREIGN KEY (repository, commit_id) REFERENCES commits (repository, id),
    FOREIGN KEY (repository, base) REFERENCES commits (repository, id),
    FOREIGN KEY (source_repository, source_commit) REFERENCES commits (repository, id)
) STRICT;

INSERT INTO jobs_made_anew (number, id, repository, connector, source_prefix, destination_path,
    commit_message, created_by, options, idempotency_key, status, progress, commit_id, error, base,
    created_at, updated_at, queued_at, epoch, attempts, owner, lease_until_ms, cancel_requested)
SELECT rowid, id, repository, connector, source_prefix, destination_path, commit_message,
    created_by, '{}', idempotency_key, status,
    json_object(
        'phase', CASE status
            WHEN 'pending' THEN 'waiting'
            WHEN 'running' THEN 'listing'
            ELSE 'ended'
        END,
        'objects_imported', objects_imported,
        'objects_missing', objects_missing,
        'bytes_imported', bytes_imported
    ),
    commit_id, error, base, created_at, updated_at, created_at, epoch, attempts, owner,
    lease_until_ms, cancel_requested
FROM jobs;

DROP TABLE jobs;
ALTER TABLE jobs_made_anew RENAME TO jobs;

CREATE INDEX jobs_open ON jobs (queued_at) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_running ON jobs (lease_until_ms) WHERE status = 'running';
CREATE INDEX jobs_ended ON jobs (updated_at) WHERE status IN ('failed', 'canceled');
CREATE INDEX jobs_previewed ON jobs (updated_at) WHERE preview IS NOT NULL;
CREATE INDEX jobs_repository ON jobs (repository, created_at);
CREATE INDEX jobs_idempotency ON jobs (repository, created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- Who writes segments: one row for each claim of a job, and for each other writer. An id is never
-- given twice.
CREATE TABLE writers_made_anew (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job BLOB REFERENCES jobs (id),
    epoch INTEGER CHECK ((epoch IS NULL) = (job IS NULL)),
    created_at INTEGER NOT NULL,
    -- Of a writer without a job. That of a claim is done with when its epoch is over.
    is_closed INTEGER CHECK (is_closed IN (0, 1)),
    CHECK ((is_closed IS NULL) = (job IS NOT NULL)),
    UNIQUE (job, epoch)
) STRICT;

INSERT INTO writers_made_anew (id, job, epoch, created_at)
SELECT id, job, epoch, created_at FROM writers;

DROP TABLE writers;
ALTER TABLE writers_made_anew RENAME TO writers;

CREATE INDEX writers_open ON writers (id) WHERE is_closed = 0;

-- When a collection found the commit stale: a longer retention does not bring its bytes back.
ALTER TABLE commits ADD COLUMN expired_at INTEGER;

-- Since when nothing in the segment is needed.
ALTER TABLE segments ADD COLUMN condemned_at INTEGER;
CREATE INDEX segments_condemned ON segments (condemned_at) WHERE condemned_at IS NOT NULL;
CREATE INDEX segments_file ON segments (file);

-- Rows of `segments` as they were before the segment was dropped from use, or before its items were
-- packed into another file. Brought back from the newest to the oldest, they restore what was.
CREATE TABLE trash (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('dropped', 'packed')),
    trashed_at INTEGER NOT NULL,
    writer INTEGER NOT NULL REFERENCES writers (id),
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 4294967295),
    repository BLOB NOT NULL REFERENCES repositories (id),
    file TEXT NOT NULL,
    length INTEGER NOT NULL CHECK (length >= 0),
    directory BLOB NOT NULL CHECK (length(directory) = 32)
) STRICT;
CREATE INDEX trash_age ON trash (trashed_at);
CREATE INDEX trash_file ON trash (file);

-- What keeps collections from taking anything away.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL,
    -- Milliseconds since the Unix epoch by the clock of the database.
    until_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    options TEXT NOT NULL CHECK (json_valid(options)),
    requested_at INTEGER NOT NULL,
    ended_at INTEGER,
    report TEXT CHECK (json_valid(report)),
    error TEXT CHECK (report IS NULL OR error IS NULL),
    CHECK ((ended_at IS NULL) = (report IS NULL AND error IS NULL))
) STRICT;
CREATE INDEX collections_open ON collections (id) WHERE ended_at IS NULL;
