"""Leave-one-domain-out with few labels: splits, cells, their parallel run, and tables."""
