"""Output for people: streams, messages, values, tables, and their contents."""
