"""What commands did, as JSON: small objects of one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from queuectl.logs.reader import LogFile
    from queuectl.manager.integrity import Problem
    from queuectl.server.embedded import ServerStatus

Object = dict[str, Any]


def added_object(job_id: str) -> Object:
    """Return a job that was added."""
    return {"id": job_id}


def result_object(job_id: str, result: str) -> Object:
    """Return what was done with one of the named jobs."""
    return {"id": job_id, "result": result}


def cancelled_object(count: int) -> Object:
    """Return how many jobs `queue clear` cancelled."""
    return {"cancelled": count}


def retried_object(count: int) -> Object:
    """Return how many jobs `dlq retry --all` put back."""
    return {"retried": count}


def removed_object(count: int) -> Object:
    """Return how many jobs `dlq clear` removed."""
    return {"removed": count}


def pool_object(pid: int, workers: int) -> Object:
    """Return a pool that was started in the background."""
    return {"pid": pid, "workers": workers}


def told_object(workers: int) -> Object:
    """Return how many workers were told to stop."""
    return {"told": workers}


def problem_object(problem: Problem, *, repaired: bool) -> Object:
    """Return what `fsck` found about one job."""
    return {"id": problem.job_id, "problem": problem.problem, "repaired": repaired}


def log_object(job_id: str, log: LogFile) -> Object:
    """Return where the output of one start of a job is."""
    return {
        "id": job_id,
        "attempt": log.attempt,
        "fence": log.fence,
        "path": str(log.path),
        "bytes": log.size,
    }


def socket_object(path: str) -> Object:
    """Return the socket of the embedded server."""
    return {"socket": path}


def stopped_object(*, stopped: bool) -> Object:
    """Return whether the embedded server ran and was stopped."""
    return {"stopped": stopped}


def server_object(server: ServerStatus) -> Object:
    """Return the state of the embedded server."""
    return {
        "running": server.running,
        "pid": server.pid,
        "version": server.version,
        "socket": server.socket,
        "data_dir": server.data_dir,
        "uptime_seconds": server.uptime_seconds,
        "used_memory_bytes": server.used_memory_bytes,
        "aof_bytes": server.aof_bytes,
        "name": server.name,
    }


def settings_object(values: Mapping[str, tuple[Any, str]], *, origins: bool) -> Object:
    """Return settings, name to value and origin: each value, or, with ``origins``, an object with both."""
    return {
        name: {"value": _plain(value), "origin": origin} if origins else _plain(value)
        for name, (value, origin) in values.items()
    }


def _plain(value: Any) -> Any:
    """Return a value for JSON: a whole number without its fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
