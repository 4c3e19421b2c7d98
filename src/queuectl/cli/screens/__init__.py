"""How things look to a person: streams, messages, values, tables, and what they show."""
