-- haven: accepts drop-loses-data: the file made it
DROP TABLE haven_health.sweep_notes;
