"""What the templates of all floors speak with."""
