"""What S3 does to objects by itself: lifecycle rules, restores from archives, replication."""
