"""The HTTP API of version 1: every operation of the store, for agents that are not in its process."""
