"""Migrations as data: files, their order and checksums, and what is still to run. Pure."""
