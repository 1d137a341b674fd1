"""epvs."""
