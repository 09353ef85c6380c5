"""REST of what is wrong: views translate, the verbs stand in the modules they call."""
