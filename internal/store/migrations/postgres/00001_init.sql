-- +goose Up
-- Keys are compared byte by byte, as SQLite does: a locale would order them otherwise.
-- The site is at the front of every key, so that a store can be split by site.

CREATE TABLE leads (
  site         TEXT COLLATE "C" NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  service      TEXT NOT NULL,
  name         TEXT NOT NULL,
  email        TEXT NOT NULL,
  phone        TEXT NOT NULL,
  stage        TEXT NOT NULL,
  manual_stage TEXT,            -- what a person set, and
  manual_ruled TEXT,            -- what the rules said at that moment
  created_at   TIMESTAMPTZ NOT NULL,
  updated_at   TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (site, id)
);
CREATE INDEX leads_newest ON leads (site, created_at, id);
CREATE INDEX leads_changed ON leads (updated_at);
CREATE INDEX leads_by_stage ON leads (site, stage, created_at, id);

CREATE TABLE submissions (
  site         TEXT COLLATE "C" NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  lead_id      TEXT COLLATE "C" NOT NULL,
  service      TEXT NOT NULL,
  form         TEXT COLLATE "C" NOT NULL,   -- the rendered form that was sent
  digest       TEXT COLLATE "C" NOT NULL,   -- of what was sent in it
  doc          TEXT NOT NULL,   -- JSON: name, answers, consent, context
  submitted_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (site, id),
  UNIQUE (site, form, digest),  -- sent twice is one submission
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
);
CREATE INDEX submissions_of_lead ON submissions (site, lead_id);

CREATE TABLE deliveries (
  site         TEXT COLLATE "C" NOT NULL,
  digest       TEXT COLLATE "C" NOT NULL,   -- SHA-256 of site and raw body
  verified     BOOLEAN NOT NULL,
  signature    TEXT COLLATE "C" NOT NULL,
  event_id     TEXT COLLATE "C",            -- of a verified one that was understood
  trigger_name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  source       TEXT COLLATE "C" NOT NULL,
  body         BYTEA NOT NULL,   -- redacted, zstd
  count        INTEGER NOT NULL,
  received_at  TIMESTAMPTZ NOT NULL,   -- the first time
  last_at      TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (site, digest, verified)
);
CREATE INDEX deliveries_of_event ON deliveries (site, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX deliveries_by_signature ON deliveries (site, signature) WHERE verified;

CREATE TABLE events (
  site         TEXT COLLATE "C" NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,   -- derived; unique within a site
  trigger_name TEXT NOT NULL,
  uid          TEXT COLLATE "C" NOT NULL,
  seat         TEXT COLLATE "C" NOT NULL,
  ignored      TEXT NOT NULL,   -- the rule, or empty
  created_at   TIMESTAMPTZ NOT NULL,   -- Cal.com's
  received_at  TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (site, id)
);
CREATE INDEX events_of_booking ON events (site, uid, seat);

CREATE TABLE observations (
  site          TEXT COLLATE "C" NOT NULL,
  id            TEXT COLLATE "C" NOT NULL,
  uid           TEXT COLLATE "C" NOT NULL,
  seat          TEXT COLLATE "C" NOT NULL,
  predecessor   TEXT COLLATE "C" NOT NULL,
  ical_uid      TEXT COLLATE "C" NOT NULL,
  doc           TEXT NOT NULL,  -- JSON of the observation
  received_at   TIMESTAMPTZ NOT NULL,
  reconciled_at TIMESTAMPTZ,           -- null: acknowledged, not yet worked
  PRIMARY KEY (site, id)
);
CREATE INDEX observations_of_booking ON observations (site, uid);
CREATE INDEX observations_of_successor ON observations (site, predecessor) WHERE predecessor <> '';
CREATE INDEX observations_of_ical ON observations (site, ical_uid) WHERE ical_uid <> '';

CREATE TABLE bookings (
  site       TEXT COLLATE "C" NOT NULL,
  uid        TEXT COLLATE "C" NOT NULL,
  seat       TEXT COLLATE "C" NOT NULL,
  lead_id    TEXT COLLATE "C",              -- null: tied to none
  status     TEXT NOT NULL,
  start_at   TIMESTAMPTZ,
  end_at     TIMESTAMPTZ,
  tied_by    TEXT NOT NULL,
  doc        TEXT NOT NULL,     -- JSON of the booking
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (site, uid, seat),
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id)
);
CREATE INDEX bookings_of_lead ON bookings (site, lead_id) WHERE lead_id IS NOT NULL;

CREATE TABLE history (
  site       TEXT COLLATE "C" NOT NULL,
  lead_id    TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,     -- sorts by time of writing
  at         TIMESTAMPTZ NOT NULL,
  from_stage TEXT NOT NULL,     -- empty for the first
  to_stage   TEXT NOT NULL,
  cause      TEXT COLLATE "C" NOT NULL,
  note       TEXT NOT NULL,
  uid        TEXT COLLATE "C" NOT NULL,
  seat       TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (site, lead_id, id),
  UNIQUE (site, lead_id, to_stage, cause),  -- a doubled stage change cannot be written
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
);

CREATE TABLE failures (
  site        TEXT COLLATE "C" NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  kind        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  detail      TEXT NOT NULL,
  subject     TEXT COLLATE "C" NOT NULL,    -- what waits: 'delivery/<digest>', 'booking/<uid>/<seat>', 'flood'
  verified    BOOLEAN NOT NULL,
  digest      TEXT COLLATE "C" NOT NULL,    -- of the delivery; empty for a booking
  uid         TEXT COLLATE "C" NOT NULL,
  seat        TEXT COLLATE "C" NOT NULL,
  lead_id     TEXT COLLATE "C",
  source      TEXT COLLATE "C" NOT NULL,
  count       INTEGER NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  last_at     TIMESTAMPTZ NOT NULL,
  settled_at  TIMESTAMPTZ,
  settled_by  TEXT NOT NULL,
  PRIMARY KEY (site, id)
);
CREATE UNIQUE INDEX failures_open ON failures (site, subject, reason) WHERE settled_at IS NULL;
CREATE INDEX failures_newest ON failures (site, last_at, id);
CREATE INDEX failures_changed ON failures (last_at);
CREATE INDEX failures_settled ON failures (settled_at);
CREATE INDEX failures_of_booking ON failures (site, uid) WHERE settled_at IS NULL AND uid <> '';
CREATE INDEX failures_unverified ON failures (site, source) WHERE settled_at IS NULL AND NOT verified;

CREATE TABLE due (
  site         TEXT COLLATE "C" NOT NULL,
  kind         TEXT NOT NULL,
  key          TEXT COLLATE "C" NOT NULL,
  version      BIGINT NOT NULL,  -- raised by every new reason to do it
  due_at       TIMESTAMPTZ NOT NULL,
  leased_until TIMESTAMPTZ,
  attempts     INTEGER NOT NULL,
  last_error   TEXT NOT NULL,
  PRIMARY KEY (site, kind, key)
);
CREATE INDEX due_next ON due (kind, due_at);

CREATE TABLE users (
  email         TEXT NOT NULL PRIMARY KEY,
  name          TEXT NOT NULL,
  password_hash TEXT NOT NULL,   -- argon2id, PHC form
  created_at    TIMESTAMPTZ NOT NULL
);

CREATE TABLE sessions (
  token_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  data       BYTEA NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- +goose Down
DROP TABLE sessions; DROP TABLE users; DROP TABLE due; DROP TABLE failures; DROP TABLE history;
DROP TABLE bookings; DROP TABLE observations; DROP TABLE events; DROP TABLE deliveries;
DROP TABLE submissions; DROP TABLE leads;
