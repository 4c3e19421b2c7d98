"""The Logging System: what every run of a job printed, in its own file under ``<home>/logs/``.

``writer`` writes it, ``reader`` and ``follower`` show it, ``retention`` removes it. ``layout`` says where it is
and how much of it is kept; ``view`` is what a reader sees of one run at one moment. Import only the module you
need: a worker loads no reader, a command no writer.
"""
