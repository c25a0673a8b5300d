"""One warm process for quick answers."""
