"""Runs one command: starts it, enforces its limits, and kills it with all its processes."""
