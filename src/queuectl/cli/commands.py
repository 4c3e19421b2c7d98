"""All top-level commands, in the order in which a newcomer needs them. This module imports none of them."""

from __future__ import annotations

COMMANDS = {
    "enqueue": ("enqueue", "Add a command to the queue."),
    "run": ("run", "Enqueue a command, follow its output, exit with its code."),
    "list": ("list", "List jobs, all or those in one state."),
    "show": ("show", "Show everything known about jobs."),
    "cancel": ("cancel", "Cancel jobs, waiting or running, on any host."),
    "logs": ("logs", "Print or follow a job's output."),
    "status": ("status", "Show the whole system: jobs and workers."),
    "worker": ("worker", "Start, stop, resume and list workers."),
    "dlq": ("dlq", "List, retry or clear dead jobs."),
    "queue": ("queue", "Clear the queue of pending jobs."),
    "config": ("config", "Show and change retry, backoff and other settings."),
    "fsck": ("fsck", "Check that all job records are consistent, and repair them."),
    "server": ("server", "Start, stop and find the embedded server."),
    "completion": ("completion", "Print the script that completes commands and ids in your shell."),
    "help": ("help", "Show the help of a command."),
    "version": ("version", "Print the version."),
}
"""Command -> its module in this package, and its line in the help."""

ALIASES = {"ls": "list", "log": "logs", "add": "enqueue"}
"""Other tools' names for our commands."""
