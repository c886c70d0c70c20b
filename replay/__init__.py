"""The compiled closed loop, the search and the verifier: they compose the services."""
