"""What a migration would block, lose or lay open, told before it runs."""
