"""Steps that touch the world, one file per AWS service or SQL concern."""
