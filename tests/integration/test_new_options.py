"""A new option is one line in one file: we add some to a copy of the package, and use them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import queuectl
from queuectl.storage import RedisStorage

LINES = {
    "identity": (
        '    colour = Option(values.text(), "", "A text that is just stored and shown.", FIELD)\n'
        '    hold = Option(values.switch(), False, "It takes no value.", FIELD)\n'
    ),
    "place": '    stdin = Option(values.text(), "", "A text that the runner needs.", LEASE)\n',
    "policy": '    front = Option(values.whole_up_to(9), 0, "A number for the script.", SCRIPT)\n',
}
IMPORTS = """\
from queuectl.options import values
from queuectl.options.table import FIELD, LEASE, SCRIPT
"""

PLACE = "local given = completed(section())\n"
ACTING = f"""\
{PLACE}
for i = #given - 1, 1, -2 do
  if given[i] == 'front' then
    call('SET', prefix .. table.remove(given, i), table.remove(given, i))
  end
end
"""

ANY_TEXT = " two  words\tand\nlines 100%20=é' "

Run = Callable[..., str]


@pytest.fixture
def run(queue: RedisStorage, tmp_path: Path) -> Run:
    """Run the copy; gives its output."""
    package = tmp_path / "copy" / "queuectl"
    shutil.copytree(Path(queuectl.__file__).parent, package)
    for name, line in LINES.items():
        file = package / "options" / f"{name}.py"
        file.write_text(file.read_text().replace("class ", f"{IMPORTS}\n\nclass ", 1) + line)
    script = package / "storage" / "lua" / "enqueue.lua"
    script.write_text(script.read_text().replace(PLACE, ACTING))
    main = f"import sys; sys.path.insert(0, {str(package.parent)!r}); from queuectl.__main__ import main; main()"

    def run(*words: str) -> str:
        done = subprocess.run([sys.executable, "-c", main, *words], capture_output=True, check=True)
        return done.stdout.decode()

    return run


def test_an_option_that_is_stored_and_shown(run: Run) -> None:
    job_id = run("enqueue", "--colour", ANY_TEXT, "true").strip()
    assert json.loads(run("show", "--json", job_id))["colour"] == ANY_TEXT
    assert any(line.startswith("colour ") and "two  words" in line for line in run("show", job_id).splitlines())
    run("config", "set", "--colour", ANY_TEXT)
    assert json.loads(run("config", "show", "--json"))["colour"] == ANY_TEXT
    assert json.loads(run("show", "--json", run("enqueue", "true").strip()))["colour"] == ANY_TEXT
    assert json.loads(run("list", "--json").splitlines()[0])["colour"] == ANY_TEXT


def test_an_option_without_a_value(run: Run) -> None:
    assert json.loads(run("show", "--json", run("enqueue", "--hold", "true").strip()))["hold"] is True
    assert json.loads(run("show", "--json", run("add", "--hold", "true").strip()))["hold"] is True
    run("config", "set", "--hold")
    assert json.loads(run("config", "show", "--json"))["hold"] is True
    assert any(line.split() == ["hold", "yes"] for line in run("show", run("enqueue", "true").strip()).splitlines())
    run("config", "set", "hold=no")
    assert json.loads(run("show", "--json", run("enqueue", "true").strip()))["hold"] is False


def test_an_option_that_the_runner_needs(run: Run) -> None:
    job_id = run("enqueue", "--stdin", ANY_TEXT, "--memory", "1G", "true").strip()
    shown = json.loads(run("show", "--json", job_id))
    assert (shown["stdin"], shown["limits"]["memory"]) == (ANY_TEXT, 1 << 30)
    run("config", "set", "--stdin", ANY_TEXT)
    assert json.loads(run("show", "--json", run("enqueue", "--nice", "1", "true").strip()))["stdin"] == ANY_TEXT
    run("worker", "start", "--burst")
    assert json.loads(run("show", "--json", job_id))["state"] == "completed"


def test_an_option_that_the_script_acts_on(run: Run, queue: RedisStorage) -> None:
    job_id = run("enqueue", "--front", "7", "true").strip()
    assert queue.r.get("queuectl:front") == "7"
    assert not queue.r.hexists(f"queuectl:jobs:{job_id}", "front")
    assert "front" not in json.loads(run("show", "--json", job_id))
