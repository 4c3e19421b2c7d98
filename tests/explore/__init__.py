"""Walks every interleaving of the real scripts in a small scope, and checks the laws after each step.

`python -m explore` (from the folder `tests`) or `make explore` is the long run; `test_explore.py` is the short one.

To extend it: one more action is a function in `actions.py`, one more law a function in `laws.py`, another bound a
field in `scope.py`. What the scripts keep on the server is read by `records.py`, what clients remember is in
`clients.py`, and `identity.py` says when two states are the same.
"""
