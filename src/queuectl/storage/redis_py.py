"""The redis-py client that `RedisStorage().r` gives to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from queuectl.storage.url import RedisURL


def connect(url: RedisURL, *, decode_responses: bool) -> redis.Redis:
    """A redis-py client of the server at ``url``."""
    options: dict[str, Any] = {
        "db": url.db,
        "username": url.username or None,
        "password": url.password or None,
        "decode_responses": decode_responses,
        "protocol": 2,
    }
    if url.path:
        return redis.Redis(unix_socket_path=url.path, **options)
    if url.tls:
        options |= {
            "ssl": True,
            "ssl_cert_reqs": "required" if url.verify else "none",
            "ssl_check_hostname": url.check_hostname,
            "ssl_ca_certs": url.ca_certs,
            "ssl_certfile": url.certfile,
            "ssl_keyfile": url.keyfile,
        }
    return redis.Redis(host=url.host, port=url.port, **options)
