-- +goose Up
-- +goose StatementBegin
ALTER TABLE users ALTER COLUMN email TYPE TEXT COLLATE "C";  -- as in the tables that name it
ALTER TABLE audit ALTER COLUMN actor TYPE TEXT COLLATE "C", ALTER COLUMN action TYPE TEXT COLLATE "C";
-- +goose StatementEnd
ALTER TABLE users ADD COLUMN handle TEXT COLLATE "C" NOT NULL DEFAULT '';  -- names the operator to authenticators, and says nothing; empty: not yet
ALTER TABLE users ADD COLUMN seen_at TIMESTAMPTZ;  -- when last at the desk; null: never
CREATE UNIQUE INDEX users_by_handle ON users (handle) WHERE handle <> '';

-- Whose sessions they are. Those of before did not say, so their operators sign in again.
DROP TABLE sessions;
CREATE TABLE sessions (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- digest of its token
  email      TEXT COLLATE "C" NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  used_at    TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  agent      TEXT NOT NULL,                 -- browser and system, in short
  source     TEXT NOT NULL                  -- keyed digest of the address
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_of_user ON sessions (email, used_at);

-- Links that let somebody in once: an invitation, or a new password.
CREATE TABLE links (
  kind       TEXT COLLATE "C" NOT NULL,      -- 'invitation' or 'reset'
  email      TEXT COLLATE "C" NOT NULL,
  digest     TEXT COLLATE "C" NOT NULL,      -- of its token
  role       TEXT NOT NULL,         -- of who is invited
  sites      TEXT NOT NULL,
  made_by    TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (kind, email)
);
CREATE UNIQUE INDEX links_by_digest ON links (digest);

CREATE TABLE passkeys (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- the authenticator's, base64url
  email      TEXT COLLATE "C" NOT NULL,
  host       TEXT COLLATE "C" NOT NULL,              -- for which it was made
  name       TEXT NOT NULL,                 -- that its owner gave it
  doc        TEXT NOT NULL,                 -- public key and what the authenticator said of itself
  count      BIGINT NOT NULL,                  -- of its signatures, as it said last
  created_at TIMESTAMPTZ NOT NULL,
  used_at    TIMESTAMPTZ
);
CREATE INDEX passkeys_of_user ON passkeys (email, created_at);

-- What an authenticator was asked, until it answers.
CREATE TABLE ceremonies (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- digest of the browser's token
  session    TEXT COLLATE "C" NOT NULL,              -- in which it was asked; empty: nobody is signed in
  doc        TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

CREATE INDEX audit_of_site ON audit (site, id);
CREATE INDEX audit_of_actor ON audit (actor, id);
CREATE INDEX audit_of_action ON audit (action, id);

-- There is no way back: a copy from before is one.
