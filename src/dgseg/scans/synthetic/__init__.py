"""Synthetic sites: anatomy under scanners that never existed."""
