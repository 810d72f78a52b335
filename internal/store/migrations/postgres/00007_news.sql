-- +goose Up
-- Up to when whom was told of what happened.
CREATE TABLE told (
  site    TEXT COLLATE "C" NOT NULL,
  channel TEXT COLLATE "C" NOT NULL,   -- a digest of where it goes
  mark    TIMESTAMPTZ NOT NULL,    -- what happened before was told
  digest  TEXT NOT NULL,           -- the last day of which a digest was sent, such as 2026-11-25
  PRIMARY KEY (site, channel)
);

-- There is no way back: a copy from before is one.
