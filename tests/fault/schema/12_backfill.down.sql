UPDATE haven_health.sweep_notes SET made = made - 1 WHERE id > 4;
