"""One module per kind of destination; every module here is found and loaded when the app starts."""
