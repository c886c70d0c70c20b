"""What every live venue shares: connection, session, market, diagnosis."""
