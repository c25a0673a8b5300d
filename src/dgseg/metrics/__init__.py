"""Metrics with a rule for empty structures."""
