-- +goose Up
-- Which fields Cal.com's bodies have, of each trigger.
CREATE TABLE shapes (
  site         TEXT NOT NULL,
  trigger_name TEXT NOT NULL,
  path         TEXT NOT NULL,  -- empty: the body itself
  kinds        TEXT NOT NULL,    -- that it had, with a space between
  objects      INTEGER NOT NULL, -- how often it was an object, until that was enough
  sometimes    INTEGER NOT NULL, -- it was missing once where its parent was not
  PRIMARY KEY (site, trigger_name, path)
) STRICT, WITHOUT ROWID;

-- There is no way back: a copy from before is one.
