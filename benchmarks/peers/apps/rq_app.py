"""RQ, with `enqueue_many`, which sends all jobs in one pipeline."""

import os
import subprocess

from redis import Redis
from rq import Queue


def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def enqueue(commands: list[str]) -> None:
    queue = Queue(connection=Redis.from_url(os.environ["SERVER_URL"]))
    queue.enqueue_many([Queue.prepare_data("rq_app.run", (command,)) for command in commands])
