"""All commands at the top, in the order in which a newcomer needs them. None is imported here."""

from __future__ import annotations

COMMANDS = {
    "enqueue": ("enqueue", "Add a command to the queue."),
    "run": ("run", "Enqueue a command, follow its output, exit with its code."),
    "list": ("list", "List jobs, all or those in one state."),
    "show": ("show", "Show all that is known of jobs."),
    "cancel": ("cancel", "Cancel jobs, waiting or running, on any host."),
    "logs": ("logs", "Print or follow a job's output."),
    "status": ("status", "Show the whole system: jobs and workers."),
    "worker": ("worker", "Start, stop, resume and list workers."),
    "dlq": ("dlq", "List dead jobs, retry them or clear them away."),
    "queue": ("queue", "Clear the queue of pending jobs."),
    "config": ("config", "Show and change retry, backoff and other settings."),
    "fsck": ("fsck", "Check that all records of jobs fit together, and repair them."),
    "server": ("server", "Start, stop and find the embedded server."),
    "completion": ("completion", "Print what completes commands and ids in your shell."),
    "help": ("help", "Show the help of a command."),
    "version": ("version", "Print the version."),
}
"""Command -> its module in this package, and its line in the help."""

ALIASES = {"ls": "list", "log": "logs", "add": "enqueue"}
"""What other tools call them."""
