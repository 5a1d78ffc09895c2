-- haven: accepts undo-deletes: the row is the file's own
-- haven: accepts drop-loses-data: nobody reads the column yet
DELETE FROM haven_health.sweep_notes WHERE id = 51;
ALTER TABLE haven_health.sweep_notes DROP COLUMN shown;
REVOKE SELECT ON haven_health.sweep_notes FROM haven_reader;
