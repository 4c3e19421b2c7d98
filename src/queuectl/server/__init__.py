"""The embedded server: each state folder's private Valkey or Redis, started on first use.

``paths`` locates it; a command needs nothing else while the server runs. ``embedded`` starts, stops and
describes it, and is imported only when no server answers.
"""
