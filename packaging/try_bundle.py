#!/usr/bin/env python3
"""Try a built one-folder program as a bare machine would start it: no home, no Python, no source tree.

    python3 packaging/try_bundle.py dist/watchfloor [--seconds 20] [--screenshot FILE]

Prints one line of JSON (size, start, self-test, figures of the demo, faults) and ends with 0 only where nothing is
wrong. Needs a display; `python3 dev.py bundle` brings one. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

N_STARTS = 3
SELF_TEST_TIMEOUT_S = 180.0
START_TIMEOUT_S = 120.0
CLOSING_S = 60.0
LEFT_OVER_GRACE_S = 5.0
MARK = "WATCHFLOOR_TRY"
"""Every process of a try inherits this variable: that is how one that was left behind is found."""

MUST_BE_SEEN = ("frames", "detections", "observations", "messages")
KEPT_VARIABLES = (
    *("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "LIBGL_ALWAYS_SOFTWARE", "LANG"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC"),
)


def main(argv: list[str]) -> int:
    """Run every try; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the demo runs")
    parser.add_argument("--screenshot", type=Path, help="keep the demo's picture here")
    options = parser.parse_args(argv)
    folder = options.folder.resolve()
    program = folder / ("watchfloor-node.exe" if os.name == "nt" else "watchfloor")
    if not program.exists():
        print(f"There is no program {program}; build it with `python3 dev.py bundle`.", file=sys.stderr)
        return 1
    faults: list[str] = []
    report: dict[str, Any] = {"size_mb": round(size_of(folder) / 1e6, 1), "largest_mb": largest_parts(folder)}
    with tempfile.TemporaryDirectory(prefix="watchfloor-try-", ignore_cleanup_errors=True) as scratch:
        attempt = Attempt(program, Path(scratch), faults)
        picture = options.screenshot.resolve() if options.screenshot else Path(scratch) / "demo.png"
        for name, step in (
            ("self_test", attempt.self_test),
            ("demo", lambda: attempt.demo(options.seconds, picture)),
            ("start_s", attempt.start),
        ):
            report[name] = step()
            attempt.end_what_is_left(name)
        if faults:
            report["log"] = attempt.last_lines()
    report["faults"] = faults
    print(json.dumps(report))
    return 1 if faults else 0


class Attempt:
    """Starts the program in a scratch folder that is its whole world, and notes what is wrong."""

    def __init__(self, program: Path, scratch: Path, faults: list[str]) -> None:
        self._program = program
        self._scratch = scratch
        self._faults = faults
        self._token = secrets.token_hex(8)
        self._home = scratch / "home"
        self._home.mkdir()
        self._data = scratch / "data"

    def self_test(self) -> dict[str, Any] | None:
        """Every check but those that only warn has to pass."""
        code, out = self._run(["self-test", "--json", "--data", str(self._data)], SELF_TEST_TIMEOUT_S)
        found = last_json(out)
        if found is None:
            self._faults.append(f"self-test printed no JSON (exit code {code})")
            return None
        checks = {check["name"]: check for check in found["checks"]}
        self._faults += [
            f"self-test {name}: {check['message']} {check['hint']}".rstrip()
            for name, check in checks.items()
            if check["status"] == "failed"
        ]
        if code not in (0, 2):
            self._faults.append(f"self-test ended with {code}")
        return {
            "exit": code,
            "ok": sorted(name for name, check in checks.items() if check["status"] == "ok"),
            "warnings": {name: check["message"] for name, check in checks.items() if check["status"] == "warning"},
            "took_s": round(sum(check["took_ms"] for check in checks.values()) / 1000.0, 1),
            "inference": checks.get("inference", {}).get("message", ""),
        }

    def demo(self, seconds: float, picture: Path) -> dict[str, Any] | None:
        """The whole room, frozen: panels, workers, broker, fleet, model."""
        arguments = ["--demo", "--for", f"{seconds:g}", "--screenshot", str(picture), "--data", str(self._data)]
        code, out = self._run(arguments, seconds + START_TIMEOUT_S + CLOSING_S)
        found = last_json(out)
        if found is None:
            self._faults.append(f"the demo printed no JSON (exit code {code})")
            return None
        self._faults += [f"the demo has no {name}" for name in MUST_BE_SEEN if not found.get(name)]
        if found.get("errors"):
            self._faults.append(f"the demo counted {found['errors']} errors")
        if code != 0:
            self._faults.append(f"the demo ended with {code}")
        if not picture.exists():
            self._faults.append("the demo left no picture")
        return found

    def start(self) -> float | None:
        """From the start of the process to the painted window, warm, median of three [s]."""
        took: list[float] = []
        for number in range(N_STARTS):
            report = self._scratch / f"start-{number}.json"
            began_at = time.time()
            self._run(
                ["--demo", "--for", "0.5", "--start-report", str(report), "--data", str(self._data)], START_TIMEOUT_S
            )
            if not report.exists():
                self._faults.append("a start painted no window")
                return None
            took.append(report.stat().st_mtime - began_at)
            heavy = json.loads(report.read_text(encoding="utf-8"))["heavy_modules"]
            if heavy:
                self._faults.append(f"the window waited for {', '.join(heavy)}")
        return round(statistics.median(took), 2)

    def end_what_is_left(self, name: str) -> None:
        """Nothing may outlive the program; what does is named and killed."""
        until = time.monotonic() + LEFT_OVER_GRACE_S
        while (left := dict(processes_with(self._token))) and time.monotonic() < until:
            time.sleep(0.1)
        for pid, command in left.items():
            self._faults.append(f"{name} left a process behind: {command}")
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def last_lines(self, n_lines: int = 15) -> dict[str, list[str]]:
        """The ends of the program's logs, for whoever has to find the fault."""
        ends: dict[str, list[str]] = {}
        for file in sorted(self._data.rglob("*.log")):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-n_lines:]
            if lines:
                ends[file.name] = lines
        return ends

    def _run(self, arguments: list[str], timeout_s: float) -> tuple[int | None, str]:
        """Return exit code and output; None where it had to be killed."""
        said = self._scratch / "stderr.txt"
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [str(self._program), *arguments],
                cwd=self._scratch,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            try:
                out, _ = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
                self._faults.append(f"{' '.join(arguments[:2])} did not end within {timeout_s:.0f} s")
                return None, out.decode(errors="replace")
        if process.returncode not in (0, 1, 2):
            tail = said.read_text(errors="replace").strip().splitlines()[-5:]
            self._faults.append(f"{' '.join(arguments[:2])} ended with {process.returncode}: {' | '.join(tail)}")
        return process.returncode, out.decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        kept[MARK] = self._token
        if os.name == "nt":
            folder = str(self._home)
            places = dict.fromkeys(("USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP"), folder)
            return {**kept, **places, "PATH": os.path.join(os.environ.get("SYSTEMROOT", ""), "System32")}
        return {**kept, "HOME": str(self._home), "PATH": "/usr/bin:/bin"}


def last_json(text: str) -> dict[str, Any] | None:
    """Return the last line that is a JSON object."""
    for line in reversed(text.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    return None


def processes_with(token: str) -> Iterator[tuple[int, str]]:
    """Yield pid and command of every process that inherited `token`; Linux only, elsewhere nothing."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={token}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if command:  # A zombie has none: it ended, its parent has not looked yet.
                    yield int(folder.name), command[:200]


def size_of(path: Path) -> int:
    """Return the bytes of a file or of everything under a folder; links count as links."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    return sum(size_of(child) for child in path.iterdir())


def largest_parts(folder: Path, n_parts: int = 8) -> dict[str, float]:
    """Return what takes the most room, by the first folder or file inside [MB]."""
    inside = folder / "_internal"
    sizes = {part.name: size_of(part) for part in (inside if inside.is_dir() else folder).iterdir()}
    return {name: round(size / 1e6, 1) for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:n_parts]}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
