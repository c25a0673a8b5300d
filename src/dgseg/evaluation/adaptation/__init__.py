"""What adapting to an unseen domain gains, from a few of its slices: cells and tables."""
