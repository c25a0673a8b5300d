"""The latent inspector: what the model sees."""
