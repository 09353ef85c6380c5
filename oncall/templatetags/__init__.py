"""Words of the pages of who must know."""
