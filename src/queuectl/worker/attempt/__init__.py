"""One command that runs: started, kept within its limits, and stopped with all its processes."""
