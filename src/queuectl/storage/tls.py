"""TLS: whom we trust, and why a server's certificate is not to be trusted. Imported only for `rediss://`."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from queuectl.errors import BadConfiguration, ServerUnreachable

if TYPE_CHECKING:
    from queuectl.storage.url import RedisURL

WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError)

_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAMES = (62, 64)
"""OpenSSL's codes: the certificate is for another host, or for another address."""


def context(url: RedisURL) -> ssl.SSLContext:
    """Return what a connection to ``url`` must verify and show; BadConfiguration for files that can't be used."""
    try:
        made = ssl.create_default_context(cafile=url.ca_certs)
        made.check_hostname = url.verify and url.check_hostname
        if not url.verify:
            made.verify_mode = ssl.CERT_NONE
        if url.certfile is not None:
            # An empty password, so that a key that needs one fails instead of prompting on the terminal.
            made.load_cert_chain(url.certfile, url.keyfile, password="")
    except OSError as error:
        raise BadConfiguration(
            f"The TLS files of {url} can't be used: {getattr(error, 'reason', None) or error.strerror or error}.",
            "Check ssl_ca_certs, ssl_certfile and ssl_keyfile: PEM files, the key without a password.",
        ) from None
    return made


def not_trusted(url: RedisURL, error: Exception) -> ServerUnreachable:
    """Return the error for a server whose certificate could not be verified."""
    code, text = getattr(error, "verify_code", 0), getattr(error, "verify_message", "")
    if code in _OTHER_NAMES:
        why = f"its certificate is for another host than {url.host}"
        hint = "Write the host as the certificate has it; if you know the server: ?ssl_check_hostname=false"
    elif code == _EXPIRED:
        why = "its certificate has expired"
        hint = "Renew the server's certificate; if it is still good, check this machine's clock: date"
    elif code == _NOT_YET_VALID:
        why = "its certificate is not valid yet"
        hint = "Check the clock of this machine, and that of the one that made the certificate: date"
    else:
        why = f"its certificate is signed by an authority unknown here ({text})"
        hint = "Name the file of that authority: rediss://HOST?ssl_ca_certs=FILE"
    return ServerUnreachable(f"The server at {url} can't be trusted: {why}.", hint)
