"""What a model sees in scans: reconstructions, anatomy and appearance codes."""
