"""Workers: a pool of them on this host claims jobs, runs their commands and reports the outcomes."""
