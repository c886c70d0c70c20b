"""The services, a room for each."""
