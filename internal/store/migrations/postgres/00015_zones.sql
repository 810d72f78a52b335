-- +goose Up
-- In which zone an operator reads times: an IANA name, such as Europe/London; empty: in
-- that of each site.
ALTER TABLE users ADD COLUMN zone TEXT NOT NULL DEFAULT '';

-- There is no way back: a copy from before is one.
