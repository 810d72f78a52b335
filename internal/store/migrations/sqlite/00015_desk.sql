-- +goose Up
-- Bookings, failures and leads come in the order in which reconciling writes them: a server
-- that works meanwhile then waits for this, and neither for the other.

-- A list of bookings is merged from those of each status that are tied, and those that
-- are not, by their start.
CREATE INDEX bookings_by_start ON bookings (site, status, (CASE WHEN lead_id IS NULL THEN 0 ELSE 1 END), start_at, uid, seat);

-- Which failures a resolution settled: also those that wait again since it was undone.
CREATE TABLE resolved (
  failure    TEXT NOT NULL,
  resolution TEXT NOT NULL,
  PRIMARY KEY (failure, resolution)
) STRICT, WITHOUT ROWID;
INSERT INTO resolved SELECT id, resolution FROM failures WHERE resolution <> '';
CREATE INDEX resolved_by ON resolved (resolution);

-- What became of a booking is asked also when it is settled.
DROP INDEX failures_of_booking;
CREATE INDEX failures_of_booking ON failures (site, uid) WHERE uid <> '';

-- Calls ahead of which a person said that the lead wants them all; of a lead those of the
-- last word.
CREATE TABLE wanted (
  site    TEXT NOT NULL,
  lead_id TEXT NOT NULL,
  uid     TEXT NOT NULL,
  seat    TEXT NOT NULL,
  at      TEXT NOT NULL,
  author  TEXT NOT NULL,     -- as the audit log has it
  PRIMARY KEY (site, lead_id, uid, seat),
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- In which zone an operator reads times: an IANA name, such as Europe/London; empty: in
-- that of each site.
ALTER TABLE users ADD COLUMN zone TEXT NOT NULL DEFAULT '';

-- There is no way back: a copy from before is one.
