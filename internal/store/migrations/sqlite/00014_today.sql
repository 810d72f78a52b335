-- +goose Up
-- What moved since a time, newest first, and how much to where.
CREATE INDEX history_by_time ON history (site, at, to_stage);

-- Calls that may still take place, by their start. Those that took place stay in it.
CREATE INDEX bookings_ahead ON bookings (site, start_at, lead_id) WHERE status IN ('awaiting_payment', 'requested', 'accepted');

-- How a call ended: 'met' or 'missed'; empty: it has not, or did not take place.
ALTER TABLE bookings ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
UPDATE bookings SET outcome = CASE WHEN doc LIKE '%"noShow":true,"noShowBy":"%' THEN 'missed' ELSE 'met' END
WHERE status = 'accepted' AND (doc LIKE '%"noShow":true,"noShowBy":"%' OR doc LIKE '%"ended":true,"endedBy":"%');

-- How often something happened, and nothing of who it was.
CREATE TABLE tallies (
  site    TEXT NOT NULL,
  kind    TEXT NOT NULL,   -- 'visit', 'start' and 'calendar' are of a day, 'delivery' and 'refused' of an hour
  at      TEXT NOT NULL,   -- the day in the site's zone, such as 2026-11-28; or the hour in UTC, such as 2026-11-28T14
  service TEXT NOT NULL,   -- its slug; empty: of none
  source  TEXT NOT NULL,   -- as leads have it; empty: it is not told apart
  n       INTEGER NOT NULL,
  PRIMARY KEY (site, kind, at, service, source)
) STRICT, WITHOUT ROWID;

-- When a site last gave a sign: of a webhook secret, that it signed something, by its
-- fingerprint; or of what was looked at.
CREATE TABLE signs (
  site TEXT NOT NULL,
  sign TEXT NOT NULL,   -- 'secret/' and a fingerprint, or 'calendars'
  at   TEXT NOT NULL,
  PRIMARY KEY (site, sign)
) STRICT, WITHOUT ROWID;

-- There is no way back: a copy from before is one.
