"""Celery, as its guide to optimizing says for short tasks: a large prefetch, and no results that nobody reads."""

import os
import subprocess

from celery import Celery, group

app = Celery(broker=os.environ["SERVER_URL"].replace("unix://", "redis+socket://"))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64)


@app.task
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


def enqueue(commands: list[str]) -> None:
    group(run.s(command) for command in commands).apply_async()
