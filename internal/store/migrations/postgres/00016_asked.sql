-- +goose Up
-- What came of asking Cal.com about a booking about which something waited, last.
CREATE TABLE asked (
  site   TEXT COLLATE "C" NOT NULL,
  uid    TEXT COLLATE "C" NOT NULL,
  at     TIMESTAMPTZ NOT NULL,
  reply  TEXT NOT NULL,   -- 'heard', 'none', 'failed' or 'given_up'
  PRIMARY KEY (site, uid)
);

-- There is no way back: a copy from before is one.
