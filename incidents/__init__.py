"""Floor 3. WHAT is wrong: events become incidents, incidents find their people."""
