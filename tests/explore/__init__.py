"""Walks every interleaving of the real scripts in a small scope, and checks the laws after each step.

`python -m explore` (from the folder `tests`) or `make explore` is the long run; `test_explore.py` is the short one.

To extend it, add an action as a function in `actions.py`, a law as a function in `laws.py`, or a bound as a field
in `scope.py`. `records.py` reads what the scripts keep on the server, `clients.py` has what clients remember, and
`identity.py` decides when two states are the same.
"""
