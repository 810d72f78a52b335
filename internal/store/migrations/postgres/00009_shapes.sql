-- +goose Up
-- Which fields Cal.com's bodies have, of each trigger.
CREATE TABLE shapes (
  site         TEXT COLLATE "C" NOT NULL,
  trigger_name TEXT COLLATE "C" NOT NULL,
  path         TEXT COLLATE "C" NOT NULL,  -- empty: the body itself
  kinds        TEXT NOT NULL,    -- that it had, with a space between
  objects      INTEGER NOT NULL, -- how often it was an object, until that was enough
  sometimes    BOOLEAN NOT NULL, -- it was missing once where its parent was not
  PRIMARY KEY (site, trigger_name, path)
);

-- There is no way back: a copy from before is one.
