-- Claims of idempotency keys: taken, finished, and swept a day later.
CREATE TABLE ledger_claim (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (fillfactor = 70);
