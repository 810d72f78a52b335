-- +goose Up
-- Times are UTC text with exactly six decimals: readable, and they sort.
-- The site is at the front of every key, so that a store can be split by site.

CREATE TABLE leads (
  site         TEXT NOT NULL,
  id           TEXT NOT NULL,
  service      TEXT NOT NULL,
  name         TEXT NOT NULL,
  email        TEXT NOT NULL,
  phone        TEXT NOT NULL,
  stage        TEXT NOT NULL,
  manual_stage TEXT,            -- what a person set, and
  manual_ruled TEXT,            -- what the rules said at that moment
  created_at   TEXT NOT NULL,
  updated_at   TEXT NOT NULL,
  PRIMARY KEY (site, id)
) STRICT;
CREATE INDEX leads_newest ON leads (site, created_at, id);
CREATE INDEX leads_changed ON leads (updated_at);
CREATE INDEX leads_by_stage ON leads (site, stage, created_at, id);

CREATE TABLE submissions (
  site         TEXT NOT NULL,
  id           TEXT NOT NULL,
  lead_id      TEXT NOT NULL,
  service      TEXT NOT NULL,
  form         TEXT NOT NULL,   -- the rendered form that was sent
  digest       TEXT NOT NULL,   -- of what was sent in it
  doc          TEXT NOT NULL,   -- JSON: name, answers, consent, context
  submitted_at TEXT NOT NULL,
  PRIMARY KEY (site, id),
  UNIQUE (site, form, digest),  -- sent twice is one submission
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX submissions_of_lead ON submissions (site, lead_id);

CREATE TABLE deliveries (
  site         TEXT NOT NULL,
  digest       TEXT NOT NULL,   -- SHA-256 of site and raw body
  verified     INTEGER NOT NULL,
  signature    TEXT NOT NULL,
  event_id     TEXT,            -- of a verified one that was understood
  trigger_name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  source       TEXT NOT NULL,
  body         BLOB NOT NULL,   -- redacted, zstd
  count        INTEGER NOT NULL,
  received_at  TEXT NOT NULL,   -- the first time
  last_at      TEXT NOT NULL,
  PRIMARY KEY (site, digest, verified)
) STRICT;
CREATE INDEX deliveries_of_event ON deliveries (site, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX deliveries_by_signature ON deliveries (site, signature) WHERE verified;

CREATE TABLE events (
  site         TEXT NOT NULL,
  id           TEXT NOT NULL,   -- derived; unique within a site
  trigger_name TEXT NOT NULL,
  uid          TEXT NOT NULL,
  seat         TEXT NOT NULL,
  ignored      TEXT NOT NULL,   -- the rule, or empty
  created_at   TEXT NOT NULL,   -- Cal.com's
  received_at  TEXT NOT NULL,
  PRIMARY KEY (site, id)
) STRICT;
CREATE INDEX events_of_booking ON events (site, uid, seat);

CREATE TABLE observations (
  site          TEXT NOT NULL,
  id            TEXT NOT NULL,
  uid           TEXT NOT NULL,
  seat          TEXT NOT NULL,
  predecessor   TEXT NOT NULL,
  ical_uid      TEXT NOT NULL,
  doc           TEXT NOT NULL,  -- JSON of the observation
  received_at   TEXT NOT NULL,
  reconciled_at TEXT,           -- null: acknowledged, not yet worked
  PRIMARY KEY (site, id)
) STRICT;
CREATE INDEX observations_of_booking ON observations (site, uid);
CREATE INDEX observations_of_successor ON observations (site, predecessor) WHERE predecessor <> '';
CREATE INDEX observations_of_ical ON observations (site, ical_uid) WHERE ical_uid <> '';

CREATE TABLE bookings (
  site       TEXT NOT NULL,
  uid        TEXT NOT NULL,
  seat       TEXT NOT NULL,
  lead_id    TEXT,              -- null: tied to none
  status     TEXT NOT NULL,
  start_at   TEXT,
  end_at     TEXT,
  tied_by    TEXT NOT NULL,
  doc        TEXT NOT NULL,     -- JSON of the booking
  updated_at TEXT NOT NULL,
  PRIMARY KEY (site, uid, seat),
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id)
) STRICT;
CREATE INDEX bookings_of_lead ON bookings (site, lead_id) WHERE lead_id IS NOT NULL;

CREATE TABLE history (
  site       TEXT NOT NULL,
  lead_id    TEXT NOT NULL,
  id         TEXT NOT NULL,     -- sorts by time of writing
  at         TEXT NOT NULL,
  from_stage TEXT NOT NULL,     -- empty for the first
  to_stage   TEXT NOT NULL,
  cause      TEXT NOT NULL,
  note       TEXT NOT NULL,
  uid        TEXT NOT NULL,
  seat       TEXT NOT NULL,
  PRIMARY KEY (site, lead_id, id),
  UNIQUE (site, lead_id, to_stage, cause),  -- a doubled stage change cannot be written
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE failures (
  site        TEXT NOT NULL,
  id          TEXT NOT NULL,
  kind        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  detail      TEXT NOT NULL,
  subject     TEXT NOT NULL,    -- what waits: 'delivery/<digest>', 'booking/<uid>/<seat>', 'flood'
  verified    INTEGER NOT NULL,
  digest      TEXT NOT NULL,    -- of the delivery; empty for a booking
  uid         TEXT NOT NULL,
  seat        TEXT NOT NULL,
  lead_id     TEXT,
  source      TEXT NOT NULL,
  count       INTEGER NOT NULL,
  received_at TEXT NOT NULL,
  last_at     TEXT NOT NULL,
  settled_at  TEXT,
  settled_by  TEXT NOT NULL,
  PRIMARY KEY (site, id)
) STRICT;
CREATE UNIQUE INDEX failures_open ON failures (site, subject, reason) WHERE settled_at IS NULL;
CREATE INDEX failures_newest ON failures (site, last_at, id);
CREATE INDEX failures_changed ON failures (last_at);
CREATE INDEX failures_settled ON failures (settled_at);
CREATE INDEX failures_of_booking ON failures (site, uid) WHERE settled_at IS NULL AND uid <> '';
CREATE INDEX failures_unverified ON failures (site, source) WHERE settled_at IS NULL AND NOT verified;

CREATE TABLE due (
  site         TEXT NOT NULL,
  kind         TEXT NOT NULL,
  key          TEXT NOT NULL,
  version      INTEGER NOT NULL,  -- raised by every new reason to do it
  due_at       TEXT NOT NULL,
  leased_until TEXT,
  attempts     INTEGER NOT NULL,
  last_error   TEXT NOT NULL,
  PRIMARY KEY (site, kind, key)
) STRICT;
CREATE INDEX due_next ON due (kind, due_at);

CREATE TABLE users (
  email         TEXT NOT NULL PRIMARY KEY,
  name          TEXT NOT NULL,
  password_hash TEXT NOT NULL,   -- argon2id, PHC form
  created_at    TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
  token_hash TEXT NOT NULL PRIMARY KEY,
  data       BLOB NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- +goose Down
DROP TABLE sessions; DROP TABLE users; DROP TABLE due; DROP TABLE failures; DROP TABLE history;
DROP TABLE bookings; DROP TABLE observations; DROP TABLE events; DROP TABLE deliveries;
DROP TABLE submissions; DROP TABLE leads;
