"""Dramatiq. A group enqueues its messages one after the other, so nothing is gained by one."""

import os
import subprocess

import dramatiq
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["SERVER_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def enqueue(commands: list[str]) -> None:
    for command in commands:
        run.send(command)
