"""Scans and labels: files in, the canonical grid, files out."""
