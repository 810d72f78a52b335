-- +goose Up
-- In which zone an operator reads times: an IANA name, such as Europe/London; empty: in
-- that of each site.
ALTER TABLE users ADD COLUMN zone TEXT NOT NULL DEFAULT '';

-- What became of a booking is asked also when it is settled.
DROP INDEX failures_of_booking;
CREATE INDEX failures_of_booking ON failures (site, uid) WHERE uid <> '';

-- There is no way back: a copy from before is one.
