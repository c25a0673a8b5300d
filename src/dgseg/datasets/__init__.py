"""Open data by name."""
