-- name: scratch_drop
-- The database in which files are tried; a killed run may have left it.
DROP DATABASE IF EXISTS {name} WITH (FORCE);

-- name: scratch_make
-- Without what somebody may have put into template1.
CREATE DATABASE {name} TEMPLATE template0;

-- name: scratch_comment
-- For those who find it.
COMMENT ON DATABASE {name} IS 'Made by haven migrate with baseline, and dropped at its end.';
