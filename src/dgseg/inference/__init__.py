"""From a scan to a segmentation."""
