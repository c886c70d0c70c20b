"""Market arithmetic: books, events, grids, features. Pure, no I/O."""
