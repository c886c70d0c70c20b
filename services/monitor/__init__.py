"""Monitor: the facts of a run, the checklist, the report and the page."""
