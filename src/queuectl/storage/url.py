"""The address of a Redis or Valkey server, read from a URL."""

from __future__ import annotations

from typing import NamedTuple

from queuectl.errors import BadConfiguration

_TCP_SCHEMES = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
"""Scheme to whether it means TLS."""

_TLS_OPTIONS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")

_ENCODE_HINT = "In user names, passwords and paths write @ : / ? # % as %40 %3A %2F %3F %23 %25."


class RedisURL(NamedTuple):
    """A server's address and login: a TCP address, or a Unix socket if ``path`` is given.

    ``str()``, ``repr()`` and ``redacted()`` hide the password; the field itself doesn't.
    """

    host: str = "localhost"
    """Name or address; IPv6 without its brackets."""

    port: int = 6379

    path: str | None = None
    """Path of the server's Unix socket; ``host`` and ``port`` are then unused."""

    username: str | None = None
    """None for the default user."""

    password: str | None = None
    """None to send no AUTH at all."""

    db: int = 0

    tls: bool = False

    verify: bool = True
    """Whether the server's certificate must be valid (``ssl_cert_reqs``)."""

    check_hostname: bool = True
    """Whether the certificate must be for ``host``; only if ``verify``."""

    ca_certs: str | None = None
    """File of trusted authorities; None for the system's."""

    certfile: str | None = None
    """File of our own certificate, for servers that require one."""

    keyfile: str | None = None
    """File of the key for ``certfile``; None if it is in the same file."""

    def redacted(self) -> str:
        """Return the URL for messages, with ``***`` for the password. ``parse`` accepts it."""
        from urllib.parse import quote

        entrance = ""
        if self.password is not None:
            entrance = f"{quote(self.username or '', safe='')}:***@"
        if self.path is not None:
            query = f"?db={self.db}" if self.db else ""
            return f"unix://{entrance}{quote(self.path, errors='surrogateescape')}{query}"
        host = self.host.replace("%", "%25")
        if ":" in host:
            host = f"[{host}]"
        options = []
        if not self.verify:
            options.append("ssl_cert_reqs=none")
        elif not self.check_hostname:
            options.append("ssl_check_hostname=false")
        files = {"ssl_ca_certs": self.ca_certs, "ssl_certfile": self.certfile, "ssl_keyfile": self.keyfile}
        options += [f"{name}={quote(file)}" for name, file in files.items() if file is not None]
        query = f"?{'&'.join(options)}" if options else ""
        return f"{'rediss' if self.tls else 'redis'}://{entrance}{host}:{self.port}/{self.db}{query}"

    def __str__(self) -> str:
        return self.redacted()

    def __repr__(self) -> str:
        return f"RedisURL({self.redacted()!r})"


def parse(text: str) -> RedisURL:
    """Parse ``redis://``, ``rediss://`` (TLS) or ``unix://``; ``valkey://`` and ``valkeys://`` mean the same.

        redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
        rediss://...[?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_ca_certs=FILE&ssl_certfile=FILE&...]
        unix://[[USER]:PASSWORD@]/PATH[?db=DB]

    Raises BadConfiguration. Its message names the invalid part, and quotes only what can't be part of a password
    that somebody forgot to percent-encode.
    """
    scheme, found, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not found:
        raise BadConfiguration("The Redis URL has no scheme.", "Write it like redis://localhost:6379/0")
    if scheme not in _TCP_SCHEMES and scheme != "unix":
        name = f"the unknown scheme {scheme}" if scheme.replace("+", "").isalnum() else "an unknown scheme"
        raise BadConfiguration(
            f"The Redis URL has {name}.", "Use redis://, rediss:// (TLS) or unix:// (a socket file)."
        )
    address, _, query = rest.partition("?")
    authority, slash, path = address.partition("/")
    entrance, at, place = authority.rpartition("@")
    # A password that isn't percent-encoded shifts the boundaries between the parts: better not to guess.
    if "#" in rest or "@" in query or ("@" in path and (at or scheme != "unix")):
        raise BadConfiguration("The Redis URL has a # or an @ in the wrong place.", _ENCODE_HINT)
    username, password = _entrance(entrance) if at else (None, None)
    options = _options(query)
    if scheme == "unix":
        if place or not path:
            raise BadConfiguration(
                "The Redis URL's socket path isn't absolute.", "Write it like unix:///run/redis.sock"
            )
        url = RedisURL(path=_text(slash + path), username=username, password=password)
    else:
        host, port = _host_and_port(place)
        url = RedisURL(host, port, username=username, password=password, tls=_TCP_SCHEMES[scheme])
        if path:
            if "db" in options:
                raise BadConfiguration("The Redis URL names its database twice.", "Leave out ?db=...")
            options["db"] = path
    if "db" in options:
        url = url._replace(db=_number(options.pop("db"), "database", 0, 2**31 - 1))
    return _with_tls_options(url, options) if options else url


def _entrance(text: str) -> tuple[str | None, str | None]:
    """Split ``USER:PASSWORD`` into user name and password."""
    username, colon, password = text.partition(":")
    if username and not colon:
        raise BadConfiguration(
            "The Redis URL has a user name without a password.",
            "For a password alone put a colon before it: redis://:PASSWORD@HOST",
        )
    if not username and not password:
        return None, None
    return _text(username) or None, _text(password)


def _host_and_port(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        valid = bool(bracket) and (not port or port.startswith(":"))
        port = port[1:]
    else:
        host, _, port = text.partition(":")
        valid = ":" not in port
    host = _text(host)
    if not valid or any(character in "[]/@" or not character.isprintable() for character in host + port):
        raise BadConfiguration(
            "The Redis URL's host can't be read.", f"Put an IPv6 address in brackets: [::1]. {_ENCODE_HINT}"
        )
    return host or "localhost", _number(port, "port", 1, 65535) if port else 6379


def _number(text: str, what: str, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most:
        return int(text)
    raise BadConfiguration(
        f"The Redis URL's {what} isn't a number from {least} to {most}.",
        f"Write it like redis://localhost:6379/0. {_ENCODE_HINT}",
    )


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name != "db" and name not in _TLS_OPTIONS:
            raise BadConfiguration(
                f"The Redis URL has the unknown option {name!r}.", f"Options: db, {', '.join(_TLS_OPTIONS)}."
            )
        if name in options:
            raise BadConfiguration(f"The Redis URL has {name} twice.", "Leave one of them out.")
        options[name] = _text(value)
    return options


def _with_tls_options(url: RedisURL, options: dict[str, str]) -> RedisURL:
    if not url.tls:
        raise BadConfiguration(f"The Redis URL has {min(options)}, but no TLS.", "Start it with rediss://")
    verify = _choice(options, "ssl_cert_reqs", {"required": True, "none": False})
    check_hostname = _choice(options, "ssl_check_hostname", {"true": True, "false": False})
    if "" in options.values():
        raise BadConfiguration("The Redis URL has an option without a value.", "Give one, or leave it out.")
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if not options.get(name, "/").startswith("/"):
            # A worker runs each job in the job's directory, where it would look for the file.
            raise BadConfiguration(f"The Redis URL's {name} isn't an absolute path.", f"Write {name}=/...")
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise BadConfiguration("The Redis URL has ssl_keyfile alone.", "Give its ssl_certfile as well.")
    return url._replace(
        verify=verify,
        check_hostname=verify and check_hostname,
        ca_certs=options.get("ssl_ca_certs"),
        certfile=options.get("ssl_certfile"),
        keyfile=options.get("ssl_keyfile"),
    )


def _choice(options: dict[str, str], name: str, choices: dict[str, bool]) -> bool:
    """Return the option's value, or the first of ``choices`` if it isn't given."""
    value = options.get(name, next(iter(choices))).lower()
    if value not in choices:
        raise BadConfiguration(f"The Redis URL's {name} can't be {value!r}.", f"Use one of: {', '.join(choices)}.")
    return choices[value]


def _text(encoded: str) -> str:
    """Decode percent-encoded text."""
    from urllib.parse import unquote_to_bytes

    try:
        text = unquote_to_bytes(encoded).decode()
    except UnicodeError:
        raise BadConfiguration("The Redis URL isn't UTF-8 text.", _ENCODE_HINT) from None
    if "\0" in text:
        raise BadConfiguration("The Redis URL has a NUL character (%00).", "Take it out.")
    return text
