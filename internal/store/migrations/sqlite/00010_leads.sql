-- +goose Up
-- Leads are found by where they came from, by service, and by the beginnings of their
-- words. What stood here before is filled in while the server runs (words.go).
ALTER TABLE leads ADD COLUMN source TEXT NOT NULL DEFAULT '';  -- 'direct' if nothing led here; empty: not filled in
ALTER TABLE leads ADD COLUMN folded TEXT NOT NULL DEFAULT '';  -- its words, a space before each; empty: not filled in
CREATE INDEX leads_by_source ON leads (site, source, created_at, id);
CREATE INDEX leads_by_service ON leads (site, service, created_at, id);
CREATE INDEX leads_unfolded ON leads (site, id) WHERE folded = '';

-- Which lead has which word. It follows from leads.folded.
CREATE TABLE words (
  site    TEXT NOT NULL,
  word    TEXT NOT NULL,
  lead_id TEXT NOT NULL,
  PRIMARY KEY (site, word, lead_id)
) STRICT, WITHOUT ROWID;

-- What a person had set before a person set this, so that it can be undone.
ALTER TABLE history ADD COLUMN prior_stage TEXT;
ALTER TABLE history ADD COLUMN prior_ruled TEXT;

-- What operators write down about a lead.
CREATE TABLE notes (
  site    TEXT NOT NULL,
  lead_id TEXT NOT NULL,
  id      TEXT NOT NULL,     -- sorts by time of writing
  at      TEXT NOT NULL,
  author  TEXT NOT NULL,     -- as the audit log has it
  text    TEXT NOT NULL,
  PRIMARY KEY (site, lead_id, id),
  FOREIGN KEY (site, lead_id) REFERENCES leads (site, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Lists of leads that an operator gave a name.
CREATE TABLE views (
  email TEXT NOT NULL,
  name  TEXT NOT NULL,
  query TEXT NOT NULL,  -- as in the address of the list
  PRIMARY KEY (email, name),
  FOREIGN KEY (email) REFERENCES users (email) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- There is no way back: a copy from before is one.
