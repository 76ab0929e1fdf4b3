"""All benches, one after the other: ``python -m tests.bench``. Writes their figures as a table to build/bench.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.receivers import say

BENCHES = ("fanout", "latency", "join", "weak", "websocket", "kit", "powercut", "replay")
TABLE = Path(__file__).parents[2] / "build/bench.md"


def run(name: str) -> dict[str, Any]:
    """Run one bench, show what it prints, return its figures. Raises CalledProcessError when it fails."""
    with subprocess.Popen([sys.executable, "-m", f"tests.bench.{name}"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        last = ""
        for line in process.stdout:
            say(line.rstrip("\n"))
            last = line
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, name)
    figures: dict[str, Any] = json.loads(last)["figures"]
    return figures


def main() -> None:
    rows = ["| bench | figure | value |", "|---|---|---|"]
    for name in BENCHES:
        rows += [f"| {name} | {figure} | {value} |" for figure, value in run(name).items()]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(rows) + "\n", encoding="utf-8")
    say(f"table: {TABLE}")


if __name__ == "__main__":
    main()
