"""Files: recording tapes, reading them, and turning them into other formats."""
