"""The methods, one file and one class each."""
