"""Takes the log out of the broker into segments on disk."""
