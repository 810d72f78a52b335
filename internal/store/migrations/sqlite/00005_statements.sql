-- +goose Up
-- Each booking that Cal.com's list showed, so that a statement accounts for every one.
CREATE TABLE listed (
  site       TEXT NOT NULL,
  uid        TEXT NOT NULL,
  made_at    TEXT NOT NULL,     -- when it was booked, by Cal.com
  event_type INTEGER NOT NULL,
  listed_at  TEXT NOT NULL,     -- the first time
  PRIMARY KEY (site, uid)
) STRICT, WITHOUT ROWID;
-- A booking of another event type has a digest in place of its uid.
CREATE INDEX listed_by_day ON listed (site, made_at);

-- A booking can be ignored by a rule, and is looked for by when it was made.
ALTER TABLE bookings ADD COLUMN ignored TEXT NOT NULL DEFAULT '';  -- the rule's name, or empty
ALTER TABLE bookings ADD COLUMN made_at TEXT;                      -- null: nobody has said anything of it
UPDATE bookings SET made_at = strftime('%Y-%m-%dT%H:%M:%f', json_extract(doc, '$.firstAt')) || '000Z';
CREATE INDEX bookings_by_day ON bookings (site, made_at);
CREATE INDEX bookings_unmatched ON bookings (site, uid, seat) WHERE lead_id IS NULL;

-- From when on the list is read without a gap, once a sweep has ended. What was read
-- before was not noted.
ALTER TABLE sweeps ADD COLUMN whole_since TEXT;
ALTER TABLE sweeps ADD COLUMN began_from TEXT;  -- where the sweep under way began; null: where the last one ended
UPDATE sweeps SET mark = CASE WHEN reached < mark THEN reached ELSE mark END;
UPDATE sweeps SET whole_since = mark, reached = NULL, skip = 0;

-- There is no way back: a copy from before is one.
