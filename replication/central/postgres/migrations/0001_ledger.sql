-- The ledger's tables, one for each LedgerTable: keys and values are the octets of
-- replication/central/ledger_records.h. bytea compares as unsigned octets, so its order is the
-- ledger's in every locale.
--
-- Rows that are written again and again keep half a page free: the new version then stays on its
-- page and no index is touched (HOT).
CREATE TABLE ledger_account  (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (fillfactor = 50);
CREATE TABLE ledger_key      (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (fillfactor = 50);
CREATE TABLE ledger_key_hash (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE ledger_lease    (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (fillfactor = 50);
CREATE TABLE ledger_charge   (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE ledger_row      (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE ledger_usage    (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE ledger_price    (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE ledger_mark     (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (fillfactor = 50);
CREATE TABLE ledger_meta     (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (fillfactor = 50);

-- Its one row is locked by a writer before it reads anything: writers, of any process, one after the
-- other. A row, not an advisory lock: every database that speaks this protocol has it.
CREATE TABLE ledger_writer (id integer PRIMARY KEY);
INSERT INTO ledger_writer (id) VALUES (1);
