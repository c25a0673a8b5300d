"""Networks: pure modules."""
