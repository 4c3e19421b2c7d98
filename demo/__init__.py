"""A demonstration: hundreds of real jobs, workers that are killed on purpose, and every result checked.

It drives the installed `queuectl` command as a user would, and needs the standard library alone.
"""
