-- haven: backfill 20
-- haven: verify SELECT count(*) = 46 FROM haven_health.sweep_notes WHERE made = DATE '2026-01-01' + 1
UPDATE haven_health.sweep_notes SET made = made + 1 WHERE id > 4;
