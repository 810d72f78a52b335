-- +goose Up
-- An event is one row less: its observation has its ID, and what it told us to ignore
-- is said where it is kept.

ALTER TABLE deliveries ADD COLUMN ignored TEXT NOT NULL DEFAULT '';   -- the rule, or empty
UPDATE deliveries SET ignored = COALESCE((SELECT e.ignored FROM events e WHERE e.site = deliveries.site AND e.id = deliveries.event_id), '')
WHERE event_id IS NOT NULL;
ALTER TABLE observations ADD COLUMN source TEXT NOT NULL DEFAULT '';  -- 'event', 'api' or 'operator'
UPDATE observations SET source = CASE WHEN EXISTS (SELECT 1 FROM events e WHERE e.site = observations.site AND e.id = observations.id) THEN 'event' ELSE 'api' END;
DROP TABLE events;

-- A lead's changes are counted: a clock that is set back would put them in another order.
ALTER TABLE history ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
UPDATE history SET seq = (SELECT count(*) FROM history h WHERE h.site = history.site AND h.lead_id = history.lead_id AND h.id <= history.id);

-- Work is looked for site by site.
CREATE TABLE work (
  site         TEXT COLLATE "C" NOT NULL,
  kind         TEXT COLLATE "C" NOT NULL,
  key          TEXT COLLATE "C" NOT NULL,
  version      BIGINT NOT NULL,  -- raised by every new reason to do it
  due_at       TIMESTAMPTZ NOT NULL,
  leased_until TIMESTAMPTZ,
  attempts     INTEGER NOT NULL,
  last_error   TEXT NOT NULL,
  PRIMARY KEY (site, kind, key)
);
INSERT INTO work (site, kind, key, version, due_at, leased_until, attempts, last_error)
SELECT site, kind, key, version, due_at, leased_until, attempts, last_error FROM due;
DROP TABLE due;
ALTER TABLE work RENAME TO due;
CREATE INDEX due_next ON due (site, kind, due_at);

-- Who looks for what is open must not be led through all that is.
DROP INDEX failures_settled;
CREATE INDEX failures_settled ON failures (settled_at) WHERE settled_at IS NOT NULL;

-- There is no way back: a copy from before is one.
