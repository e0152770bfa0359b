-- Sessions with what they stage, multipart uploads, logins, and the audit log.

ALTER TABLE users ADD COLUMN bio TEXT NOT NULL DEFAULT '';

-- A session is open until it has ended or expired. Then its row goes, but only after the rows that
-- refer to it, of which there may be millions.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    repository BLOB NOT NULL REFERENCES repositories (id),
    base BLOB,
    created_by BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    -- Changes staged so far, each path counted as often as it was staged.
    revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0),
    FOREIGN KEY (repository, base) REFERENCES commits (repository, id)
) STRICT;
CREATE INDEX sessions_open ON sessions (repository, expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_expiry ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE staged (
    session BLOB NOT NULL REFERENCES sessions (id),
    path BLOB NOT NULL,
    -- As the tree encodes it; null deletes.
    entry BLOB,
    PRIMARY KEY (session, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session BLOB NOT NULL REFERENCES sessions (id),
    path BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_session ON uploads (session);
CREATE INDEX uploads_expiry ON uploads (expires_at);

CREATE TABLE parts (
    upload BLOB NOT NULL REFERENCES uploads (id),
    number INTEGER NOT NULL CHECK (number >= 1),
    size INTEGER NOT NULL CHECK (size >= 0),
    tag BLOB NOT NULL CHECK (length(tag) = 32),
    start INTEGER NOT NULL CHECK (start >= 0),
    -- An extent list, as the tree encodes it.
    pieces BLOB NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE logins (
    token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX logins_user ON logins (user, created_at);
CREATE INDEX logins_expiry ON logins (expires_at);

CREATE TABLE device_codes (
    device_hash BLOB NOT NULL PRIMARY KEY CHECK (length(device_hash) = 32),
    user_code TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    confirmed_by BLOB REFERENCES users (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_codes_expiry ON device_codes (expires_at);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    organization BLOB REFERENCES organizations (id),
    -- Who, and their name at the time; null for whoever runs the server.
    user BLOB REFERENCES users (id),
    username TEXT CHECK ((username IS NULL) = (user IS NULL)),
    request TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    details TEXT NOT NULL CHECK (json_valid(details))
) STRICT;
CREATE INDEX audit_organization ON audit (organization, id) WHERE organization IS NOT NULL;
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
