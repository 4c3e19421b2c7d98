"""One process of a pool: an event loop, its workers, and its exchange with the server."""
