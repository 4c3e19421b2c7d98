"""Turns the bytes of a server into replies with ``hiredis``, and limits what one reply may take."""

from __future__ import annotations

from sys import getallocatedblocks
from typing import TYPE_CHECKING

import hiredis

if TYPE_CHECKING:
    from typing import Any

    from queuectl.errors import NotAServer
    from queuectl.storage.url import RedisURL

CHUNK_BYTES = 65536
"""The most bytes to pass on at once. A reply that fits in them is not worth a check."""

MOST_BYTES = 8_000_000
"""The most bytes of a reply that holds no whole jobs."""

MOST_PARTS = 200_000
"""The most parts of a list, and the most objects that an incomplete reply may have become."""

_INCOMPLETE = object()


class Parser:
    """Parses the replies of one connection. Raises NotAServer for what is no reply, or one that is too large."""

    def __init__(self, url: RedisURL) -> None:
        self._url = url
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self.most_bytes = MOST_BYTES
        """The most bytes of a reply."""
        self.held = 0
        """Bytes of the reply that has begun."""
        self._blocks_before = 0

    @property
    def has_data(self) -> bool:
        """Whether anything is left, perhaps a complete reply."""
        return self._reader.has_data()

    def feed(self, data: bytes) -> None:
        """Take data, unless the reply that they belong to grows too large."""
        before = self.held
        self.held += len(data)
        if before == 0 and data[:1] == b"*":
            self._check_announced(data[1:20].partition(b"\r")[0])
        if self.held > CHUNK_BYTES:
            if self.held > self.most_bytes:
                raise self.unfit(f"its reply has more than {self.most_bytes / 1e6:.0f} MB")
            # Three bytes can become an object of two hundred: count what hiredis has built.
            if before <= CHUNK_BYTES:
                self._blocks_before = getallocatedblocks()
            elif getallocatedblocks() - self._blocks_before > MOST_PARTS:
                raise self.unfit(f"its reply has more than {MOST_PARTS:,} parts")
        self._reader.feed(data)

    def _check_announced(self, count: bytes) -> None:
        """Refuse a list too long before hiredis makes room for it, which takes seconds to give back."""
        if count.isdigit() and int(count) > MOST_PARTS:
            raise self.unfit(f"its reply has more than {MOST_PARTS:,} parts")

    def take(self, replies: list[Any], limit: int) -> None:
        """Move complete replies to ``replies`` until it holds ``limit`` of them."""
        try:
            while len(replies) < limit:
                reply = self._reader.gets()
                if reply is _INCOMPLETE:
                    return
                self.held = 0
                replies.append(reply)
        except MemoryError:  # at once, from the number of parts that it announces
            raise self.unfit("its reply is larger than the memory") from None
        except (hiredis.ProtocolError, TypeError):  # TypeError: types of RESP3 where they can't be
            raise self.unfit("it does not speak their protocol") from None

    def unfit(self, why: str) -> NotAServer:
        """Return the error to raise: this is no server for us."""
        from queuectl.storage.replies import not_a_server

        return not_a_server(str(self._url), why)
