-- +goose Up
-- How far the bookings at Cal.com were heard of, site by site.
CREATE TABLE sweeps (
  site     TEXT NOT NULL PRIMARY KEY,
  mark     TEXT NOT NULL,     -- what changed before was heard of; Cal.com's time
  reached  TEXT,              -- a sweep under way goes on with what changed then; null: none is
  skip     INTEGER NOT NULL,  -- of that, how many bookings it has had
  number   INTEGER NOT NULL,  -- of the sweeps that have heard of everything
  ended_at TEXT               -- when the last one had heard of everything; null: none did
) STRICT;

-- There is no way back: a copy from before is one.
