"""What statements lock, and how much work they are."""
