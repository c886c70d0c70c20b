"""The validation checklist: each check with what it is judged on, its cause and its remedy."""
