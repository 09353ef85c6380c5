"""HOW people and systems are told: message -> delivery -> one small module per service -> the world."""
