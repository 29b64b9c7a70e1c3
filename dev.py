#!/usr/bin/env python3
"""Set-up and daily commands of Watchfloor; needs nothing but Python 3.11 to 3.13 itself.

    python3 dev.py demo     the console with the demo city
    python3 dev.py test     formatting, lint, types, import contracts and tests (--slow adds the long ones)
    python3 dev.py check    the same, for CI and before a commit
    python3 dev.py run      the console on real devices
    python3 dev.py shots    the screenshots in docs/screenshots
    python3 dev.py bench    the figures, as JSON
    python3 dev.py bundle   a one-folder executable in dist/

The first call makes `.venv` and installs what is missing; later calls are ready in seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
IS_WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if IS_WINDOWS else "bin/python")
SUPPORTED = ((3, 11), (3, 13))

# Debian and Ubuntu names; what Qt's xcb platform and OpenGL need, then fonts, and LightGBM's OpenMP.
WINDOW_PACKAGES = (
    *("libegl1", "libgl1", "libopengl0", "libglib2.0-0", "libfontconfig1", "libdbus-1-3", "libxkbcommon0"),
    *("libxkbcommon-x11-0", "libxcb-cursor0", "libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1", "libxcb-randr0"),
    *("libxcb-render-util0", "libxcb-shape0", "libxcb-xinerama0", "libxcb-xkb1", "libxrender1", "libxi6"),
    *("fonts-inter", "fonts-jetbrains-mono", "fonts-dejavu-core"),
    "libgomp1",
)
SCREEN_PACKAGES = ["xvfb", "xauth"]
WIDGET_TESTS = "tests/gui"
TEST_PACKAGES = ["mosquitto", "postgresql", "ffmpeg", "xdotool", "openssl"]


def main(argv: Sequence[str]) -> int:
    """Run one verb; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=VERBS)
    # Everything behind the verb belongs to it; argparse would claim options that start with a dash.
    options = parser.parse_args(argv[:1])
    options.rest = [item for item in argv[1:] if item != "--slow"]
    options.slow = "--slow" in argv[1:]
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        print(f"Watchfloor needs Python 3.11 to 3.13; this is {sys.version.split()[0]} ({sys.executable}).")
        return 2
    return VERBS[options.verb](options)


def demo(options: argparse.Namespace) -> int:
    """Open the console with the demo city."""
    rest = list(options.rest)
    make_environment("run", with_screen=not has_display())
    if not has_display() and "--for" not in rest:
        picture = ROOT / "build" / "demo.png"
        picture.parent.mkdir(exist_ok=True)
        print(f"No display here: the demo runs 60 s on a virtual one; its picture goes to {picture}.", flush=True)
        rest += ["--for", "60", "--screenshot", str(picture)]
    with screen() as env:
        return call([PYTHON, "main.py", "--demo", *rest], env=env)


def run(options: argparse.Namespace) -> int:
    """Open the console on this installation's own devices."""
    make_environment("run", with_screen=not has_display())
    with screen() as env:
        return call([PYTHON, "main.py", *options.rest], env=env)


def test(options: argparse.Namespace) -> int:
    """Run every check and test; with paths, only those tests."""
    make_environment("full", with_screen=True, with_test_servers=True)
    # Hundreds of processes are started: told so, each would compile the program anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    chosen = options.rest
    if not chosen:
        for step in CHECKS:
            print("$", " ".join(map(str, step)), flush=True)
            code = call([PYTHON, "-m", *step])
            if code != 0:
                return code
    marks = [] if options.slow or chosen else ["-m", "not slow"]
    # Widgets are tried without a screen, where a window is active as soon as it is shown; the rest needs a real one.
    widgets = [path for path in chosen if path.startswith(WIDGET_TESTS)]
    others = [path for path in chosen if not path.startswith(WIDGET_TESTS)]
    codes: list[int] = []
    with contextlib.ExitStack() as beside:
        if widgets or not chosen:
            command = [PYTHON, "-m", "pytest", *marks, *(widgets or [WIDGET_TESTS])]
            # One core is theirs: most of the others wait for processes, brokers and pictures.
            beside.enter_context(called_beside(command, codes, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}))
        if others or not chosen:
            env = beside.enter_context(screen(always=True))
            codes.append(call([PYTHON, "-m", "pytest", *marks, *(others or [f"--ignore={WIDGET_TESTS}"])], env=env))
    return max(codes)


def shots(options: argparse.Namespace) -> int:
    """Make the screenshots of the documentation."""
    make_environment("run", with_screen=True)
    for size in ("1920x1080", "1280x800"):
        with screen(size=size, always=True) as env:
            code = call([PYTHON, "-m", "app.shots", "--size", size, *options.rest], env=env)
        if code != 0:
            return code
    return 0


def bench(options: argparse.Namespace) -> int:
    """Measure; every figure beside its reference."""
    make_environment("full", with_screen=True, with_test_servers=True)
    names = options.rest or ["decode", "detect", "ui", "start", "--json"]
    with screen(always=True) as env:
        return call([PYTHON, "main.py", "bench", *names], env=env)


def bundle(options: argparse.Namespace) -> int:
    """Build the lean one-folder executable (without torch) and try it."""
    make_environment("full", with_screen=True)
    code = call([PYTHON, "-m", "PyInstaller", "--noconfirm", "--clean", "packaging/watchfloor.spec", *options.rest])
    if code != 0:
        return code
    with screen(always=True) as env:
        return call([PYTHON, "packaging/try_bundle.py", "dist/watchfloor"], env=env)


VERBS = {
    "demo": demo,
    "run": run,
    "test": test,
    "check": test,
    "shots": shots,
    "bench": bench,
    "bundle": bundle,
}
CHECKS = (
    ("ruff", "format", "--check", "--quiet", "."),
    ("ruff", "check", "--quiet", "."),
    ("mypy", "--no-error-summary", "main.py", "dev.py", "app", "core", "resources", "widgets"),
    ("importlinter.cli", "lint"),
)


def make_environment(kind: str, *, with_screen: bool, with_test_servers: bool = False) -> None:
    """Install what is missing: system packages by apt, Python packages into `.venv`.

    Args:
        kind: "run" (the program) or "full" (torch, test and build tools as well).
        with_screen: A virtual display is needed.
        with_test_servers: Mosquitto, PostgreSQL and ffmpeg are needed.
    """
    if sys.platform.startswith("linux"):
        packages = list(WINDOW_PACKAGES)
        packages += SCREEN_PACKAGES if with_screen else []
        packages += TEST_PACKAGES if with_test_servers else []
        install_system_packages(packages)
    if not PYTHON.exists():
        print("making .venv", flush=True)
        require([sys.executable, "-m", "venv", str(VENV)])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    if kind == "full":
        for extra in project["optional-dependencies"].values():
            wanted += extra
    constraints = ROOT / "constraints.txt"
    # Python's version belongs to the stamp: a new interpreter under the same folder needs everything again.
    text = "\n".join([*wanted, constraints.read_text(encoding="utf-8"), sys.version])
    stamp = VENV / f".installed-{kind}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    print(f"installing {len(wanted)} Python packages and what they need (minutes, once)", flush=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    require([*pip, "install", "--quiet", "-c", str(constraints), *wanted])
    if kind == "full":
        # torch and torchvision must be one pair, and nothing may have pulled in a second OpenCV.
        require([*pip, "check"])
    stamp.write_text(digest, encoding="utf-8")


def install_system_packages(packages: list[str]) -> None:
    """Install Debian packages that are missing, or print the one line that does it."""
    if shutil.which("dpkg-query") is None:
        missing_programs = [name for name in ("Xvfb",) if name.lower() in packages and not shutil.which(name)]
        if missing_programs:
            print(f"Please install with this system's package manager: {' '.join(missing_programs)}")
        return
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        packages = [*packages, f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"]
    missing = [name for name in packages if not is_installed(name)]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    line = f"sudo apt-get update && sudo apt-get install --yes --no-install-recommends {' '.join(missing)}"
    if sudo and (not shutil.which("sudo") or call([*sudo, "true"], quiet=True) != 0):
        print(f"System packages are missing. Please run this line, then the same command again:\n  {line}")
        raise SystemExit(2)
    print(f"installing system packages: {' '.join(missing)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = [*sudo, "apt-get", "--quiet", "--quiet"]
    call([*apt, "update"], env=quiet, quiet=True)
    if call([*apt, "install", "--yes", "--no-install-recommends", *missing], env=quiet, quiet=True) != 0:
        print(f"apt could not install them. Please run this line to see why:\n  {line}")
        raise SystemExit(2)


def is_installed(package: str) -> bool:
    """Return whether dpkg has the package, under its name or Debian's 64-bit time_t name."""
    for name in (package, f"{package}t64"):
        found = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Status}", name], capture_output=True, text=True, check=False
        )
        if found.stdout.endswith("install ok installed"):
            return True
    return False


def has_display() -> bool:
    """Return whether a window can be shown to somebody."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def screen(*, size: str = "1920x1080", always: bool = False) -> Iterator[dict[str, str]]:
    """Yield an environment with a display; starts an Xvfb where there is none, or always when asked."""
    env = dict(os.environ)
    if not sys.platform.startswith("linux") or (has_display() and not always):
        yield env
        return
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=(writer,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise SystemExit("The virtual display (Xvfb) did not start.")
        env.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb", LIBGL_ALWAYS_SOFTWARE="1")
        env.pop("WAYLAND_DISPLAY", None)
        yield env
    finally:
        server.terminate()
        server.wait(10)


def call(command: Sequence[str | Path], *, env: dict[str, str] | None = None, quiet: bool = False) -> int:
    """Run a command in the project's folder; returns its exit code."""
    out = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.run(
            [str(part) for part in command], cwd=ROOT, env=env, stdout=out, stderr=out, check=False
        ).returncode
    except KeyboardInterrupt:
        return 130
    except FileNotFoundError:
        return 127


@contextlib.contextmanager
def called_beside(command: Sequence[str | Path], codes: list[int], *, env: dict[str, str]) -> Iterator[None]:
    """Run a command in the project's folder meanwhile; its words come at the end, and its exit code in `codes`."""
    with tempfile.TemporaryFile() as said:
        words = [str(part) for part in command]
        process = subprocess.Popen(words, cwd=ROOT, env=env, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield
            codes.append(process.wait())
        finally:
            process.kill()
            process.wait()
            said.seek(0)
            print(said.read().decode(errors="replace"), flush=True)


def require(command: Sequence[str]) -> None:
    """Run a command of the set-up; ends the program with its words when it fails."""
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"The set-up stopped at: {' '.join(command)[:300]}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
