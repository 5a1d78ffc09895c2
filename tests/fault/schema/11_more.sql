ALTER TABLE haven_health.sweep_notes ADD COLUMN shown boolean NOT NULL DEFAULT false;
INSERT INTO haven_health.sweep_notes VALUES (51, 'the last', DATE '2026-01-02', true);
GRANT SELECT ON haven_health.sweep_notes TO haven_reader;
