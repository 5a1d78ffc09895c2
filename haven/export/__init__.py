"""What an export holds and how it is kept: decisions without effects."""
