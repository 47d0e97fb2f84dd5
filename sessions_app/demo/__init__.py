"""A small set of self-written sessions, so that a fresh installation has something to look at."""
