"""taskiq with its list broker, the fastest one. Many are enqueued by gathering, over a pool of connections."""

import asyncio
import os

from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(os.environ["SERVER_URL"])


@broker.task
async def run(command: str) -> None:
    process = await asyncio.create_subprocess_shell(command)
    if await process.wait():
        raise RuntimeError(f"exit status {process.returncode}")


def enqueue(commands: list[str]) -> None:
    async def all_of_them() -> None:
        await broker.startup()
        await asyncio.gather(*(run.kiq(command) for command in commands))
        await broker.shutdown()

    asyncio.run(all_of_them())
