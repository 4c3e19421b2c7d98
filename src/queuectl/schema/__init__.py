"""The JSON of everything that is shown: the documented names, in a stable order. Nothing here prints."""
