"""Breaks things on purpose while jobs run, records what happened, and checks it against the promise.

`python -m chaos` (from the folder `tests`) or `make chaos` is the long run; `test_chaos_short.py` is the short one.
"""
