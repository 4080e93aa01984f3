-- One row for each write that destroyed keys in ledger_kek, until that table's file was rewritten.
CREATE TABLE purge_mark (id bigserial PRIMARY KEY, marked_at timestamptz NOT NULL DEFAULT now());
