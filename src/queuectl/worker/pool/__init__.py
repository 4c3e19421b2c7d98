"""What `worker start` starts: the pool, its guardian, and the clean-up after those that were killed."""
