"""A model as a folder: what it is, and its weights."""
