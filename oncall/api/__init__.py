"""REST of who must know: views translate, the verbs stand in the modules beside."""
