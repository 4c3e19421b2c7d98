"""Thousands of hostile inputs: `make fuzz`. The normal tests try a few examples of each."""
