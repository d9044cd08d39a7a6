PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE drives (number INTEGER PRIMARY KEY, station TEXT NOT NULL, job TEXT NOT NULL, port TEXT NOT NULL, path TEXT NOT NULL, disk_sequence TEXT NOT NULL, serial TEXT NOT NULL, vendor_product TEXT NOT NULL, size_bytes TEXT NOT NULL, medium TEXT NOT NULL, version TEXT NOT NULL, manifest_sha256 TEXT NOT NULL, written_bytes TEXT NOT NULL, verified_bytes TEXT NOT NULL, write_ms TEXT NOT NULL, verify_ms TEXT NOT NULL, read_back TEXT NOT NULL, verdict TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
INSERT INTO drives VALUES(1,'sample','test','left','/tmp/h2/work/ports/1','1','THIRD','','4194304','','','','4194304','4194304','22','4','O_DIRECT, past the page cache','GOOD','','','2026-11-30T08:36:40Z','2026-11-30T08:36:40Z','0000000000000000000000000000000000000000000000000000000000000000','accb4b44b2a32c50e1d666da077d190a387ac2a5e80347910a5337d6d31006aa');
CREATE TRIGGER no_update BEFORE UPDATE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON drives BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
COMMIT;
PRAGMA user_version=1;
