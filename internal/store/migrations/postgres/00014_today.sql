-- +goose Up
-- What moved since a time, newest first, and how much to where.
CREATE INDEX history_by_time ON history (site, at, to_stage);

-- Calls that may still take place, by their start. Those that took place stay in it.
CREATE INDEX bookings_ahead ON bookings (site, start_at, lead_id) WHERE status IN ('awaiting_payment', 'requested', 'accepted');

-- There is no way back: a copy from before is one.
