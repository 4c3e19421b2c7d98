"""A durable job queue for shell commands, on an embedded Valkey or your own Redis."""

__version__ = "0.1.0"
