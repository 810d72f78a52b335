-- +goose Up
-- Who may do what.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'owner';  -- 'owner', 'operator' or 'viewer'
ALTER TABLE users ADD COLUMN sites TEXT NOT NULL DEFAULT '';      -- the only ones seen, with a space between; empty: all

-- What people did. It is only added to.
CREATE TABLE audit (
  id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- sorts by time of writing
  at      TIMESTAMPTZ NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  site    TEXT COLLATE "C" NOT NULL,              -- empty: of none
  subject TEXT COLLATE "C" NOT NULL,              -- the ID of what it was done to
  detail  TEXT NOT NULL
);
CREATE INDEX audit_of_subject ON audit (subject, id) WHERE subject <> '';
-- +goose StatementBegin
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();

-- There is no way back: a copy from before is one.
