"""From a site's corrections and unlabelled scans to a candidate bundle."""
