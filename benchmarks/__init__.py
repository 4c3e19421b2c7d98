"""Measurements of queuectl: `make bench`, or `python -m benchmarks`.

One module for each measure; its docstring tells the method. What they share:

- A machine's speed changes while one looks. So things are compared inside one round only, measured in turns,
  and a ratio is the median of the rounds' ratios. At least five rounds; the lowest and the highest are shown too.
- Each measure has private servers of its own, in `build/`: on the same disk as this checkout.
- The programs run as a user would run them, with the settings that a user gets.
"""
