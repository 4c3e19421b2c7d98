"""Enqueue the commands on standard input, ended by NUL each, and print the seconds that it took.

The argument names the module beside this one whose ``enqueue`` does it. Only that call is timed: Python's
start and the imports are not.
"""

import importlib
import sys
import time

commands = sys.stdin.read().split("\0")[:-1]
enqueue = importlib.import_module(sys.argv[1]).enqueue
begun = time.perf_counter()
enqueue(commands)
print(time.perf_counter() - begun)
