"""Each script's arguments and reply, in Python's terms: the only modules that know their order.

A `Call` does nothing by itself. `RedisStorage` runs one and waits; a worker's `Link` runs it in its event loop.
"""
