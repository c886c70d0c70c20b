"""The page: what a browser is served, and how."""
