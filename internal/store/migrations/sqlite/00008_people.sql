-- +goose Up
-- Who may do what.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'owner';  -- 'owner', 'operator' or 'viewer'
ALTER TABLE users ADD COLUMN sites TEXT NOT NULL DEFAULT '';      -- the only ones seen, with a space between; empty: all

-- What people did. It is only added to.
CREATE TABLE audit (
  id      TEXT NOT NULL PRIMARY KEY,  -- sorts by time of writing
  at      TEXT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  site    TEXT NOT NULL,              -- empty: of none
  subject TEXT NOT NULL,              -- the ID of what it was done to
  detail  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_of_subject ON audit (subject, id) WHERE subject <> '';
-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is only added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is only added to');
END;
-- +goose StatementEnd

-- There is no way back: a copy from before is one.
