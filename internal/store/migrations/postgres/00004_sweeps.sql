-- +goose Up
-- How far the bookings at Cal.com were heard of, site by site.
CREATE TABLE sweeps (
  site     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  mark     TIMESTAMPTZ NOT NULL,     -- what changed before was heard of; Cal.com's time
  reached  TIMESTAMPTZ,              -- a sweep under way goes on with what changed then; null: none is
  skip     INTEGER NOT NULL,  -- of that, how many bookings it has had
  number   INTEGER NOT NULL,  -- of the sweeps that have heard of everything
  ended_at TIMESTAMPTZ               -- when the last one had heard of everything; null: none did
);

-- There is no way back: a copy from before is one.
