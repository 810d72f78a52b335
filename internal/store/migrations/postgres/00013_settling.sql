-- +goose Up
-- What people did about failures, and took back.
CREATE TABLE resolutions (
  site      TEXT COLLATE "C" NOT NULL,
  id        TEXT COLLATE "C" NOT NULL,
  remedy    TEXT NOT NULL,      -- 'attach' or 'dismiss'
  lead_id   TEXT NOT NULL,      -- of 'attach'
  decision  TEXT NOT NULL,      -- the observation that says it; empty: none does
  note      TEXT NOT NULL,      -- why, in somebody's words
  actor     TEXT NOT NULL,
  at        TIMESTAMPTZ NOT NULL,
  undone_at TIMESTAMPTZ,
  undone_by TEXT NOT NULL,
  PRIMARY KEY (site, id)
);

ALTER TABLE failures ADD COLUMN resolution TEXT COLLATE "C" NOT NULL DEFAULT '';  -- what settled it; empty: a fact, or nothing yet
ALTER TABLE failures ADD COLUMN remedy TEXT NOT NULL DEFAULT '';      -- of that
CREATE INDEX failures_of_resolution ON failures (site, resolution) WHERE resolution <> '';
CREATE INDEX failures_dismissed ON failures (site, uid) WHERE remedy = 'dismiss' AND uid <> '';

-- What a person said needs nobody: the reason for which it waited. Empty: nobody did.
ALTER TABLE bookings ADD COLUMN dismissed TEXT NOT NULL DEFAULT '';

-- The body of what was not believed or not understood, encrypted: to look at it again.
ALTER TABLE deliveries ADD COLUMN sealed BYTEA;

-- Lists, page by page.
CREATE INDEX failures_waiting ON failures (site, reason, last_at, id) WHERE settled_at IS NULL;
CREATE INDEX failures_signed ON failures (site, last_at, id) WHERE settled_at IS NULL AND verified;
CREATE INDEX failures_unsigned ON failures (site, last_at, id) WHERE settled_at IS NULL AND NOT verified;

-- There is no way back: a copy from before is one.
