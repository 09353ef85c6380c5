"""Measures a running installation from outside: `python -m tests.bench`, or `make bench`."""
