"""SAQ. Many are enqueued by gathering; the queue itself bounds how many are under way."""

import asyncio
import os

from redis.asyncio import Redis
from saq.queue.redis import RedisQueue

queue = RedisQueue(Redis.from_url(os.environ["SERVER_URL"]))


async def run(_context: object, *, command: str) -> None:
    process = await asyncio.create_subprocess_shell(command)
    if await process.wait():
        raise RuntimeError(f"exit status {process.returncode}")


settings = {"queue": queue, "functions": [run], "concurrency": 1}


def enqueue(commands: list[str]) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(queue.enqueue("run", command=command) for command in commands))
        await queue.disconnect()

    asyncio.run(all_of_them())
