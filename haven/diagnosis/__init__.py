"""What is wrong with a database or its instances, told from figures, with what cures it. Pure."""
