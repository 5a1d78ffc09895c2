-- haven: non-transactional
-- Statements that run alone, and statements that share a transaction with their progress.
CREATE TABLE haven_health.sweep_notes (id bigint PRIMARY KEY, note text NOT NULL, made date);
CREATE INDEX CONCURRENTLY sweep_notes_by_note ON haven_health.sweep_notes (note);
INSERT INTO haven_health.sweep_notes SELECT n, 'note ' || n, DATE '2026-01-01' FROM generate_series(1, 50) AS n;
CREATE INDEX CONCURRENTLY sweep_notes_by_made ON haven_health.sweep_notes (made);
UPDATE haven_health.sweep_notes SET note = note || '!' WHERE id <= 10;
DROP INDEX CONCURRENTLY haven_health.sweep_notes_by_note;
