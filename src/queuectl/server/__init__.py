"""The embedded server: a private Valkey or Redis of one state folder, started on first use.

``paths`` knows where it lives and is all that a command needs while the server runs; ``embedded`` starts,
stops and describes it and is imported only when nothing answers.
"""
