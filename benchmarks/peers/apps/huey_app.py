"""huey. It has no call for many tasks at once, so each is enqueued by itself."""

import os
import subprocess

from huey import RedisHuey

huey = RedisHuey(url=os.environ["SERVER_URL"])


@huey.task()
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def enqueue(commands: list[str]) -> None:
    for command in commands:
        run(command)
