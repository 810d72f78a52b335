-- +goose Up
-- A delivery of a booking is written to fewer places of the file: no index repeats
-- another's work, or holds what follows from the row.

-- The observations of a booking are found by their own key. The first delivery that
-- told one is named there; deliveries.event_id names the event of those that told it again.
CREATE TABLE facts (
  site          TEXT COLLATE "C" NOT NULL,
  uid           TEXT COLLATE "C" NOT NULL,
  id            TEXT COLLATE "C" NOT NULL,
  source        TEXT NOT NULL,  -- 'event', 'api' or 'operator'
  delivery      TEXT COLLATE "C" NOT NULL,  -- its digest; empty: none, or one that has event_id
  seat          TEXT COLLATE "C" NOT NULL,
  predecessor   TEXT COLLATE "C" NOT NULL,
  ical_uid      TEXT COLLATE "C" NOT NULL,
  doc           TEXT NOT NULL,  -- JSON of the observation, without what has a column
  received_at   TIMESTAMPTZ NOT NULL,
  reconciled_at TIMESTAMPTZ,           -- null: acknowledged, not yet worked
  PRIMARY KEY (site, uid, id)
);
INSERT INTO facts (site, uid, id, source, delivery, seat, predecessor, ical_uid, doc, received_at, reconciled_at)
SELECT site, uid, id, source, '', seat, predecessor, ical_uid, doc, received_at, reconciled_at FROM observations;
DROP TABLE observations;
ALTER TABLE facts RENAME TO observations;
CREATE INDEX observations_of_successor ON observations (site, predecessor) WHERE predecessor <> '';
-- Most have the iCalUID that follows from their own uid, which finds them too.
CREATE INDEX observations_of_ical ON observations (site, ical_uid) WHERE ical_uid <> '' AND ical_uid <> uid || '@Cal.com';

-- The beginning of a signature finds it: it is compared whole.
DROP INDEX deliveries_by_signature;
CREATE INDEX deliveries_by_signature ON deliveries (site, substr(signature, 1, 12)) WHERE verified;

-- A change is named by its number.
CREATE TABLE changes (
  site       TEXT COLLATE "C" NOT NULL,
  lead_id    TEXT COLLATE "C" NOT NULL,
  seq        INTEGER NOT NULL,  -- 1, 2 …: a clock that is set back would put them in another order
  at         TIMESTAMPTZ NOT NULL,
  from_stage TEXT NOT NULL,     -- empty for the first
  to_stage   TEXT NOT NULL,
  cause      TEXT COLLATE "C" NOT NULL,
  note       TEXT NOT NULL,
  uid        TEXT COLLATE "C" NOT NULL,
  seat       TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (site, lead_id, seq),
  UNIQUE (site, lead_id, to_stage, cause),  -- a doubled stage change cannot be written
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
);
INSERT INTO changes (site, lead_id, seq, at, from_stage, to_stage, cause, note, uid, seat)
SELECT site, lead_id, seq, at, from_stage, to_stage, cause, note, uid, seat FROM history;
DROP TABLE history;
ALTER TABLE changes RENAME TO history;

-- There is no way back: a copy from before is one.
