"""Augmentation, batched on the device: pure modules."""
