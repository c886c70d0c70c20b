"""Searches over settings: variants, what each came to, which come next, and how far to believe the best of many."""
