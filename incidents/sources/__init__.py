"""One pure parser per inbound tool, found by folder; and what they all stand on (base, reading, draft)."""
