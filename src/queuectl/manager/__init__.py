"""The use cases: what a user can ask of a queue."""
