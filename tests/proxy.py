"""A network between a program and its server that tests can degrade: slow, silent, or cut."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Proxy:
    """Passes TCP connections on to a server. Its methods may be called from any thread, and act at once.

    ``address`` is where it listens, on loopback.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._delay_seconds = 0.0
        self._refuses = False
        self._silence = False
        self._pairs: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._do(lambda: asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.address: tuple[str, int] = self._server.sockets[0].getsockname()

    def delay(self, seconds: float) -> None:
        """From now on each answer comes so much later."""
        self._delay_seconds = seconds

    def swallow(self) -> None:
        """Connections, those to come as well, stay open and nothing comes through, until `heal`.

        Those that there are by then stay so for good: their other end has forgotten them.
        """
        self._silence = True

    def refuse(self) -> None:
        """Reset all connections, those to come as well, until `heal`."""
        self._refuses = True
        self.reset()

    def reset(self) -> None:
        """Cut all connections off."""
        self._do(self._reset)

    def heal(self) -> None:
        """Pass on what comes from now on."""
        for pair in list(self._pairs):
            pair.dead = pair.dead or self._silence
        self._silence, self._delay_seconds, self._refuses = False, 0.0, False

    def switch(self, target: tuple[str, int]) -> None:
        """Lead to another server; connections to the one before are cut off."""
        self._target = target
        self.reset()

    def close(self) -> None:
        """End all of it."""
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the proxy's thread ------------------------------------------------------------------------

    def _do(self, act: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(act(), self._loop).result()

    async def _reset(self) -> None:
        for pair in list(self._pairs):
            pair.abort()

    async def _close(self) -> None:
        self._server.close()
        await self._reset()
        while self._pairs:
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            if self._refuses:
                return
            to_server: asyncio.StreamWriter | None = None
            if not self._silence:
                from_server, to_server = await asyncio.open_connection(*self._target)
                pair.writers.append(to_server)
                back = asyncio.create_task(self._answer(pair, from_server, writer))
            while data := await reader.read(65_536):
                if to_server is not None and not (self._silence or pair.dead):
                    to_server.write(data)
                elif to_server is None:
                    pair.dead = True
            if to_server is not None:
                to_server.close()
                await back
        except OSError:
            pass  # one of the ends is gone
        finally:
            pair.abort()
            self._pairs.discard(pair)

    async def _answer(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late: deque[tuple[float, bytes]] = deque()
        changed = asyncio.Event()

        async def write() -> None:
            while True:
                await changed.wait()
                changed.clear()
                while late:
                    await asyncio.sleep(max(0.0, late[0][0] - self._loop.time()))
                    _, data = late.popleft()
                    if not (self._silence or pair.dead):
                        writer.write(data)

        writing = asyncio.create_task(write())
        try:
            while data := await reader.read(65_536):
                late.append((self._loop.time() + self._delay_seconds, data))
                changed.set()
            if not (self._silence or pair.dead):
                pair.abort()
        except OSError:
            pair.abort()
        finally:
            writing.cancel()


class _Pair:
    """The two sides of one connection. ``dead``: nothing comes through any more, and nobody is told."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers = [writer]
        self.dead = False

    def abort(self) -> None:
        """Cut it off."""
        for writer in self.writers:
            writer.transport.abort()
