"""The JSON output: the documented names, in a stable order. Nothing here prints."""
