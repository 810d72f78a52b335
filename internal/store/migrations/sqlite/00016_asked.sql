-- +goose Up
-- What came of asking Cal.com about a booking about which something waited, last.
CREATE TABLE asked (
  site   TEXT NOT NULL,
  uid    TEXT NOT NULL,
  at     TEXT NOT NULL,
  reply  TEXT NOT NULL,   -- 'heard', 'none', 'failed' or 'given_up'
  PRIMARY KEY (site, uid)
) STRICT, WITHOUT ROWID;

-- There is no way back: a copy from before is one.
