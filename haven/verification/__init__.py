"""What proves a backup: fingerprints, manifests, what differs and whether that is explained. Pure."""
