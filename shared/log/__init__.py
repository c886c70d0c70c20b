"""The log: subjects, the connection to the broker, leases."""
