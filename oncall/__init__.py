"""Floor 2. WHO must know."""
