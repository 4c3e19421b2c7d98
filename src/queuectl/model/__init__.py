"""Pure values: what a job, a worker and a policy are. No input or output happens here."""
