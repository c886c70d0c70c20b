"""The report and the summary: what the facts mean, in words and pictures."""
