-- Accounts' wrapped body keys, and references to bodies.
CREATE TABLE ledger_kek       (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE ledger_reference (key bytea PRIMARY KEY, value bytea NOT NULL);
