"""Hostile input by the thousand: `make fuzz`. With the other tests, a few examples of each."""
