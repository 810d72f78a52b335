CREATE TABLE leads (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reference  TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  email      TEXT NOT NULL,
  stage      TEXT NOT NULL,
  booking    TEXT,
  starts     TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE events (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest       TEXT NOT NULL UNIQUE,
  trigger_name TEXT NOT NULL,
  uid          TEXT NOT NULL,
  body         TEXT NOT NULL,
  received_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
