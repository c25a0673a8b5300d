"""The workspace of one hospital on disk."""
