"""The four steps of the dock."""
