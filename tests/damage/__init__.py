"""Damaged states of the embedded server's data: each must be repaired, refused with a way out, or told."""
