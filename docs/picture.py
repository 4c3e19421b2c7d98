"""Draws the README's picture from a real terminal: runs commands, and keeps their output with its colours.

    python -m docs.picture

Ids are replaced by fixed ones, so that two pictures differ only in times.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.docs.shell import Shell, without_excuses

PICTURE = Path(__file__).parent / "images" / "terminal.svg"
COLUMNS = 80

IDS = ["9fa21c07d3b8e645", "31bc7e02a94f6d18", "e07d5a9c4b1f2836", "5c48d1f6027ae9b3"]

FLAKY = """\
[ "$QUEUECTL_ATTEMPT" -ge 2 ] || { echo 'backup host: connection refused' >&2; exit 255; }; echo 'backup complete'
"""
"""What the picture shows as ./backup.sh: its first attempt fails."""

SCENE = [
    "queuectl run --max-retries 5 --backoff-base 0.5 ./backup.sh",
    "queuectl enqueue --max-retries 0 'gzip missing.csv'",
    "queuectl enqueue --timeout 10m --memory 2G ./train.sh",
    "queuectl worker start --count 2 --detach",
    "queuectl list",
]

THEME = TerminalTheme(
    (30, 34, 42),
    (220, 223, 228),
    [(40, 44, 52), (224, 108, 117), (152, 195, 121), (229, 192, 123), (97, 175, 239), (198, 120, 221),
     (86, 182, 194), (171, 178, 191)],
    [(130, 137, 151), (240, 128, 136), (170, 210, 140), (240, 205, 140), (120, 190, 250), (210, 140, 230),
     (110, 200, 210), (255, 255, 255)],
)  # fmt: skip

FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<!-- A real terminal, drawn by docs/picture.py -->
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 16px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})"
   clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the scene, and write the picture."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    shell = Shell(colours=True, columns=COLUMNS)
    with contextlib.closing(shell):
        _prepare(shell)
        names: dict[str, str] = {}
        for number, command in enumerate(SCENE):
            if number == len(SCENE) - 1:
                shell.run('until [ "$(queuectl dlq list --json)" ]; do sleep 0.1; done')
            shown = _with_fixed_ids(without_excuses(shell.run(command)), names)
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")), soft_wrap=True)
            console.print(Text.from_ansi(shown.rstrip("\n")))
    svg = console.export_svg(title="queuectl", theme=THEME, code_format=FORMAT, unique_id="t")
    PICTURE.write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


def _prepare(shell: Shell) -> None:
    for name, text in (("backup.sh", FLAKY), ("train.sh", "sleep 60\n")):
        script = shell.home / name
        script.write_text(f"#!/bin/sh\n{text}")
        script.chmod(0o755)
    shell.run("queuectl server start")


def _with_fixed_ids(text: str, names: dict[str, str]) -> str:
    def fixed(match: re.Match[str]) -> str:
        name = names.setdefault(match[0][:8], IDS[len(names) % len(IDS)])
        return name[: len(match[0])]

    return re.sub(r"(?<![0-9a-f])(?:[0-9a-f]{16}|[0-9a-f]{8})(?![0-9a-f])", fixed, text)


if __name__ == "__main__":
    main()
