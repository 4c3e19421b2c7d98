"""The processes behind `worker start`: the pool, its guardian, and the clean-up after killed ones."""
