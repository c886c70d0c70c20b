"""What other programs make of our files. They run in environments of their own: see the Makefile."""
