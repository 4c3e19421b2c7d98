"""A round of maintenance that fails for an unknown reason says so."""

from __future__ import annotations

import os

import pytest

from queuectl import settings
from queuectl.worker.pool.maintenance import Maintenance


def test_an_unknown_error_is_shown(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(Maintenance, "_round", fail)
    maintenance = Maintenance(settings.load(), "host", lambda: None, list)
    maintenance.due = 0.0
    maintenance.turn()
    pid, _ = os.wait()
    assert maintenance.ended(pid)
    assert "ZeroDivisionError: of all things" in capfd.readouterr().err
