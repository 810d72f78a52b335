-- +goose Up
ALTER TABLE users ADD COLUMN handle TEXT NOT NULL DEFAULT '';  -- names the operator to authenticators, and says nothing; empty: not yet
ALTER TABLE users ADD COLUMN seen_at TEXT;  -- when last at the desk; null: never
CREATE UNIQUE INDEX users_by_handle ON users (handle) WHERE handle <> '';

-- Whose sessions they are. Those of before did not say, so their operators sign in again.
DROP TABLE sessions;
CREATE TABLE sessions (
  id         TEXT NOT NULL PRIMARY KEY,  -- digest of its token
  email      TEXT NOT NULL,
  created_at TEXT NOT NULL,
  used_at    TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  agent      TEXT NOT NULL,                 -- browser and system, in short
  source     TEXT NOT NULL                  -- keyed digest of the address
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_of_user ON sessions (email, used_at);

-- Links that let somebody in once: an invitation, or a new password.
CREATE TABLE links (
  kind       TEXT NOT NULL,      -- 'invitation' or 'reset'
  email      TEXT NOT NULL,
  digest     TEXT NOT NULL,      -- of its token
  role       TEXT NOT NULL,         -- of who is invited
  sites      TEXT NOT NULL,
  made_by    TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  PRIMARY KEY (kind, email)
) STRICT;
CREATE UNIQUE INDEX links_by_digest ON links (digest);

CREATE TABLE passkeys (
  id         TEXT NOT NULL PRIMARY KEY,  -- the authenticator's, base64url
  email      TEXT NOT NULL,
  host       TEXT NOT NULL,              -- for which it was made
  name       TEXT NOT NULL,                 -- that its owner gave it
  doc        TEXT NOT NULL,                 -- public key and what the authenticator said of itself
  count      INTEGER NOT NULL,                  -- of its signatures, as it said last
  created_at TEXT NOT NULL,
  used_at    TEXT
) STRICT;
CREATE INDEX passkeys_of_user ON passkeys (email, created_at);

-- What an authenticator was asked, until it answers.
CREATE TABLE ceremonies (
  id         TEXT NOT NULL PRIMARY KEY,  -- digest of the browser's token
  session    TEXT NOT NULL,              -- in which it was asked; empty: nobody is signed in
  doc        TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

CREATE INDEX audit_of_site ON audit (site, id);
CREATE INDEX audit_of_actor ON audit (actor, id);
CREATE INDEX audit_of_action ON audit (action, id);

-- There is no way back: a copy from before is one.
