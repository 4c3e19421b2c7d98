"""The embedded server's data as JSON: losses, and what a check found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queuectl.schema.times import timestamp

if TYPE_CHECKING:
    from queuectl.server.backup import Restored
    from queuectl.server.checkup import Finding
    from queuectl.server.losses import Loss
    from queuectl.server.repair import Repair


def loss_object(loss: Loss) -> dict[str, Any]:
    """Return a loss that nobody has acknowledged."""
    return {"at": timestamp(loss.at), "file": loss.file or None, "lost_bytes": loss.lost_bytes}


def finding_object(finding: Finding, losses: list[Loss]) -> dict[str, Any]:
    """Return what a check found."""
    return {
        "problems": finding.problems,
        "repairable": finding.kept is not None,
        "bytes": finding.size,
        "lost_bytes": finding.lost,
        "losses": [loss_object(loss) for loss in losses],
    }


def repair_object(repair: Repair) -> dict[str, Any]:
    """Return what a repair found, and where the files are as they were."""
    return {**finding_object(repair.finding, []), "copy": repair.copy}


def backup_object(file: str, size: int) -> dict[str, Any]:
    """Return the file that a backup wrote."""
    return {"file": file, "bytes": size}


def restored_object(file: str, restored: Restored) -> dict[str, Any]:
    """Return what was restored, and where the data are that were here."""
    return {**backup_object(file, restored.size), "copy": restored.copy}
