"""What is known of the latent factors of scans, in numbers and on disk; without torch."""
