"""The tests mirror the folders; bench holds the measurements."""
