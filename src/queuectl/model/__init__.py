"""Pure values: jobs, workers and policies. Nothing here does input or output."""
