-- +goose Up
-- What was sent to leads that did not book, each reminder once.
CREATE TABLE reminders (
  site     TEXT COLLATE "C" NOT NULL,
  lead_id  TEXT COLLATE "C" NOT NULL,
  number   INTEGER NOT NULL,   -- 1, 2 … by the site's waits
  state    TEXT NOT NULL,      -- 'sending', 'sent', 'retry', 'refused' or 'unknown'
  attempts INTEGER NOT NULL,
  at       TIMESTAMPTZ NOT NULL,        -- since when it is in this state
  next_at  TIMESTAMPTZ,                 -- of 'retry': when it is tried again
  PRIMARY KEY (site, lead_id, number),
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
);
CREATE INDEX reminders_open ON reminders (site, state, at) WHERE state <> 'sent';
CREATE INDEX reminders_newest ON reminders (site, at);

-- Who does not want any.
CREATE TABLE stops (
  site  TEXT COLLATE "C" NOT NULL,
  email TEXT COLLATE "C" NOT NULL,   -- in small letters
  at    TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (site, email)
);
CREATE INDEX leads_by_email ON leads (site, lower(email));

-- There is no way back: a copy from before is one.
