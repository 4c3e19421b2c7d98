"""taskiq with its list broker, the fastest one. Many are enqueued by gathering, over a pool of connections.

The task is a synchronous one, in its pool of threads: to await a subprocess takes three times its processor time.
"""

import asyncio
import os
import subprocess

from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(os.environ["SERVER_URL"])


@broker.task
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def enqueue(commands: list[str]) -> None:
    async def all_of_them() -> None:
        await broker.startup()
        await asyncio.gather(*(run.kiq(command) for command in commands))
        await broker.shutdown()

    asyncio.run(all_of_them())
