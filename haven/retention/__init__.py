"""What stays and what goes: decisions of housekeeping, each with its reason. Pure."""
