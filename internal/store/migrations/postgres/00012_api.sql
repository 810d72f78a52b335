-- +goose Up
-- Keys of the API. Only a digest of the secret is kept.
CREATE TABLE api_keys (
  id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  name         TEXT COLLATE "C" NOT NULL,             -- as the audit log has it
  secret_hash  TEXT NOT NULL,             -- SHA-256 of the secret, in hex
  scopes       TEXT NOT NULL,             -- with a space between
  sites        TEXT NOT NULL,             -- the only ones seen, with a space between; empty: all
  created_by   TEXT NOT NULL,
  created_at   TIMESTAMPTZ NOT NULL,
  expires_at   TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ,                      -- to the minute; null: never
  revoked_at   TIMESTAMPTZ                       -- null: it was not
);
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name);

-- Writes of the API that were done, so that one that is sent again is answered and not done again.
CREATE TABLE idempotency (
  key_id     TEXT COLLATE "C" NOT NULL,               -- of the API
  key        TEXT COLLATE "C" NOT NULL,               -- as the client named the write
  digest     TEXT NOT NULL,               -- of the request
  status     INTEGER NOT NULL,            -- of the answer
  body       TEXT NOT NULL,               -- the answer
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (key_id, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- There is no way back: a copy from before is one.
