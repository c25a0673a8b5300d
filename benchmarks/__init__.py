"""Speed as ratios, measured side by side in one run; never asserted on in the tests."""
