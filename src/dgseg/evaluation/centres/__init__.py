"""Adapting to a centre without labels, with labelled source data beside it."""
