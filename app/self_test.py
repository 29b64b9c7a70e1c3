"""`main.py self-test`: does everything that the room needs work on this machine?"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import resources
from core.kernel.clock import SystemClock
from core.kernel.errors import ConsoleError
from core.kernel.paths import Folders
from core.kernel.settings import Settings

LOW_DISK_GB, ENOUGH_DISK_GB = 1.0, 10.0
IMPORTS = (
    *("PySide6.QtWidgets", "PySide6QtAds", "pyqtgraph", "qasync", "numpy", "av", "sqlalchemy", "alembic", "psycopg"),
    *("pydantic_settings", "msgspec", "paho.mqtt.client", "amqtt.broker", "argon2", "keyring", "lap", "openvino"),
    *("pyvista", "vtkmodules.vtkRenderingOpenGL2", "fastapi", "uvicorn"),
)


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check and what it found.

    Attributes:
        took_ms: Time it needed [ms].
    """

    name: str
    status: Status
    message: str
    hint: str = ""
    took_ms: float = 0.0


def self_test(folders: Folders, settings: Settings) -> tuple[Check, ...]:
    """Run every check, one after the other; a broker that is configured and answers is asked more."""
    done = [_run(name, check) for name, check in _checks(folders, settings).items()]
    answers = any(check.name == "broker" and check.status is Status.OK for check in done)
    if settings.broker.host and answers:
        done += [_run(name, check) for name, check in _broker_checks(settings).items()]
    return tuple(done)


def exit_code(checks: tuple[Check, ...]) -> int:
    """Return 0 when all is well, 1 after a failure, 2 after warnings only."""
    found = {check.status for check in checks}
    if Status.FAILED in found:
        return 1
    return 2 if Status.WARNING in found else 0


def _checks(folders: Folders, settings: Settings) -> dict[str, Callable[[], Check]]:
    return {
        "python": _check_python,
        "imports": _check_imports,
        "window": _check_window,
        "opengl": _check_opengl,
        "fonts": _check_fonts,
        "database": lambda: _check_database(folders, settings),
        "broker": lambda: _check_broker(settings),
        "gateway": lambda: _check_gateway(folders, settings),
        "codecs": _check_codecs,
        "inference": lambda: _check_inference(folders),
        "forecasts": _check_forecasts,
        "workers": _check_workers,
        "audio": _check_audio,
        "resources": _check_resources,
        "disk": lambda: _check_disk(folders),
        "permissions": lambda: _check_permissions(folders),
    }


def _run(name: str, check: Callable[[], Check]) -> Check:
    began = time.perf_counter()
    try:
        found = check()
    except ConsoleError as error:
        found = Check(name=name, status=Status.FAILED, message=error.message, hint=error.hint)
    except Exception as error:  # noqa: BLE001 - a self-test reports every fault, whatever it is
        found = Check(name=name, status=Status.FAILED, message=f"{type(error).__name__}: {error}")
    took_ms = (time.perf_counter() - began) * 1000.0
    return Check(name=name, status=found.status, message=found.message, hint=found.hint, took_ms=round(took_ms, 1))


def _ok(message: str) -> Check:
    return Check(name="", status=Status.OK, message=message)


def _warn(message: str, hint: str = "") -> Check:
    return Check(name="", status=Status.WARNING, message=message, hint=hint)


def _fail(message: str, hint: str = "") -> Check:
    return Check(name="", status=Status.FAILED, message=message, hint=hint)


def _check_python() -> Check:
    version = sys.version.split()[0]
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return _fail(f"Python {version} is not supported.", "Use 3.11, 3.12 or 3.13.")
    return _ok(f"Python {version}{', frozen' if getattr(sys, 'frozen', False) else ''}.")


def _check_imports() -> Check:
    for name in IMPORTS:
        importlib.import_module(name)
    import PySide6

    version = tuple(int(part) for part in PySide6.__version__.split(".")[:2])
    if version >= (6, 12) and sys.version_info < (3, 12):
        return _fail("PySide6 6.12 loses references on Python 3.11.", "Install PySide6-Essentials 6.11.2.")
    return _ok(f"{len(IMPORTS)} libraries, PySide6 {PySide6.__version__}.")


def _application() -> Any:
    from PySide6.QtWidgets import QApplication

    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY") and sys.platform.startswith("linux"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Importing opencv-python points this at its own Qt 5 plug-ins.
    os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
    return QApplication.instance() or QApplication(["self-test"])


def _check_window() -> Check:
    from PySide6.QtWidgets import QLabel

    app = _application()
    label = QLabel("Watchfloor")
    label.show()
    app.processEvents()
    label.close()
    sizes = [f"{screen.size().width()}x{screen.size().height()}" for screen in app.screens()]
    if app.platformName() == "offscreen":
        return _warn("There is no display: the console cannot be shown here, the node can run.")
    return _ok(f"{app.platformName()}, {', '.join(sizes)}.")


def _check_opengl() -> Check:
    from PySide6.QtGui import QOffscreenSurface, QOpenGLContext

    if _application().platformName() == "offscreen":
        return _warn("Not tried without a display.", "The parking twin needs OpenGL.")
    context = QOpenGLContext()
    surface = QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return _warn("No OpenGL context.", "The parking twin stays dark; install a graphics driver or Mesa.")
    made = context.format()
    context.doneCurrent()
    return _ok(f"OpenGL {made.majorVersion()}.{made.minorVersion()}.")


def _check_fonts() -> Check:
    from PySide6.QtGui import QFontDatabase

    _application()
    families = set(QFontDatabase.families())
    wanted = ("Inter", "IBM Plex Sans", "Noto Sans", "DejaVu Sans")
    found = [family for family in wanted if family in families]
    if not found:
        return _warn("None of the console's fonts is installed.", f"Install one of {', '.join(wanted)}.")
    return _ok(f"{found[0]}.")


def _check_database(folders: Folders, settings: Settings) -> Check:
    from core.kernel.errors import UnavailableError
    from core.store.engine import open_store, sqlite_url

    async def try_store(url: str, backups: Path) -> str:
        store = open_store(url, backups=backups, clock=SystemClock())
        try:
            is_ok, reason = await store.probe()
        finally:
            await store.close()
        if not is_ok:
            raise UnavailableError(reason)
        return reason

    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(try_store(sqlite_url(Path(scratch) / "try.sqlite3"), Path(scratch)))
        if settings.store.url:
            asyncio.run(try_store(settings.store.url, Path(scratch)))
            return _ok("SQLite and the configured database store and read back.")
    there = "it exists" if folders.database.exists() else "it will be made at the first start"
    return _ok(f"SQLite stores and reads back; {there}.")


def _check_broker(settings: Settings) -> Check:
    from core.field.broker import EmbeddedBroker
    from core.field.model import LinkReport, LinkState
    from core.field.mqtt_link import MqttLink
    from core.field.settings import BrokerSettings
    from core.kernel.secrets import Secrets
    from core.node.ears import broker_settings

    async def round_trip() -> str:
        wanted = settings.broker
        embedded = None
        with tempfile.TemporaryDirectory() as scratch:
            if wanted.host:
                broker = broker_settings(wanted, tenant=settings.site.tenant, core_id="self-test")
                password = Secrets().get_secret("broker") or ""
            else:
                embedded = EmbeddedBroker(Path(scratch))
                address = await embedded.start()
                password = address.passwords["core"]
                broker = BrokerSettings(
                    host=address.host, port=address.port, username="core", core_id="self-test", is_embedded=True
                )
            states: list[LinkReport] = []
            link = MqttLink(
                broker,
                loop=asyncio.get_running_loop(),
                on_message=lambda _batch: None,
                on_state=states.append,
                read_password=lambda: password,
            )
            link.start()
            try:
                return await _await_round_trip(link)
            finally:
                await asyncio.to_thread(link.stop)
                if embedded is not None:
                    await embedded.stop()

    async def _await_round_trip(link: MqttLink) -> str:
        deadline = time.monotonic() + 12.0
        while time.monotonic() < deadline:
            report = link.report()
            if report.state is LinkState.CONNECTED and report.round_trip_ms is not None:
                return f"{report.address}, {report.protocol}, round trip {report.round_trip_ms:.1f} ms."
            if report.state is LinkState.REFUSED:
                raise ConsoleError(f"The broker at {report.address} refuses: {report.reason}")
            await asyncio.sleep(0.02)
        raise ConsoleError(f"The broker at {link.report().address} does not answer: {link.report().reason}")

    return _ok(asyncio.run(round_trip()))


def _broker_checks(settings: Settings) -> dict[str, Callable[[], Check]]:
    from core.field.broker_probe import BrokerProbe, Finding
    from core.kernel.secrets import Secrets
    from core.node.ears import broker_settings

    wanted = broker_settings(settings.broker, tenant=settings.site.tenant, core_id="self-test")
    probe = BrokerProbe(wanted, Secrets().get_secret("broker") or "")

    def judged(find: Callable[[], Finding]) -> Callable[[], Check]:
        def check() -> Check:
            found = find()
            return _ok(found.message) if found.is_well else _warn(found.message, found.hint)

        return check

    return {
        "broker-qos-1": judged(probe.round_trip),
        "broker-retained": judged(probe.retained),
        "broker-queue": judged(probe.queue),
        "broker-tls": judged(lambda: probe.certificates(SystemClock().now())),
        "broker-saves": judged(probe.persistence),
    }


def _check_gateway(folders: Folders, settings: Settings) -> Check:
    """Serve once on a free port of this machine; then what the settings want, where no node serves it already."""
    from core.gateway.http.probe import serve_once
    from core.gateway.http.server import HttpServer

    wanted = settings.gateway
    served = f"{asyncio.run(serve_once())} addresses are served"
    if not wanted.enabled:
        return _ok(f"{served}; it is off (gateway.enabled).")
    if folders.node_file.exists():
        return _ok(f"{served}; port {wanted.port} is left to the node that runs.")
    server = HttpServer(
        None, host=wanted.host, port=wanted.port, certificate_file=wanted.certificate_file, key_file=wanted.key_file
    )
    asyncio.run(_open_and_close(server))
    return _ok(f"{served}; {wanted.host}:{wanted.port} is free{', with TLS' if wanted.certificate_file else ''}.")


async def _open_and_close(server: Any) -> None:
    try:
        await server.start()
    finally:
        await server.stop()


def _demo_clip() -> Path:
    return sorted(resources.path("demo/clips").glob("*.mp4"))[0]


def _check_codecs() -> Check:
    import av

    clip = _demo_clip()
    with av.open(str(clip)) as container:
        frame = next(container.decode(video=0))
    missing = [name for name in ("h264", "hevc", "mjpeg", "mpeg4", "vp9", "av1") if name not in av.codecs_available]
    if missing:
        return _warn(f"No decoder for {', '.join(missing)}.")
    return _ok(f"H.264, HEVC, MJPEG, MPEG-4, VP9, AV1; {clip.name} decodes at {frame.width}x{frame.height}.")


def _check_inference(folders: Folders) -> Check:
    import av

    from core.media.convert import TileScaler
    from core.vision.engine import open_engine
    from core.vision.models import find_model

    model = find_model("", folder=folders.models, allow_download=False)
    with tempfile.TemporaryDirectory() as scratch:
        engine = open_engine(model, cache_dir=Path(scratch))
        try:
            n_boxes = 0
            with av.open(str(_demo_clip())) as container:
                for index, frame in enumerate(container.decode(video=0)):
                    if index % 30 == 0:
                        rgb, _ = TileScaler().to_network_rgb(frame, engine.info.input_wh)
                        n_boxes += len(engine.infer(rgb[None])[0])
                    if index >= 90:
                        break
        finally:
            engine.close()
    if not n_boxes:
        return _fail("The bundled model sees nothing on its own scene.", "Install the program again.")
    return _ok(f"{engine.info.engine} on {engine.info.device}: {n_boxes} vehicles on four pictures.")


def _check_forecasts() -> Check:
    import numpy as np

    from core.parking.forecast.boosting import BoostingMissingError, fit_rows

    rows = np.linspace(0.0, 1.0, 1000)[:, None]
    try:
        trees = fit_rows(rows, rows[:, 0])
    except BoostingMissingError as error:
        return _warn(
            f"LightGBM cannot be loaded ({error}).",
            "Free bays are foreseen by the profile of their weeks alone; install libgomp1.",
        )
    away = float(np.abs(trees.predict(rows) - rows[:, 0]).mean())
    return _ok("LightGBM learns.") if away < 0.05 else _fail(f"LightGBM learns wrongly: {away:.2f} beside 0 to 1.")


def _check_workers() -> Check:
    """A process can be spawned: frozen programs fail here when a module is missing."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(20.0) or ours.recv() != "ready":
            return _fail("A worker process did not answer within 20 s.")
    finally:
        process.join(5.0)
        if process.is_alive():
            process.kill()
    return _ok("A worker process answers.")


def _answer(pipe: Any) -> None:
    import core.vision.worker  # noqa: F401 - what a real worker imports first

    pipe.send("ready")


def _check_audio() -> Check:
    import miniaudio

    try:
        devices = miniaudio.Devices()
        names = [device["name"] for device in devices.get_playbacks()]
    except miniaudio.MiniaudioError as error:
        return _warn(f"No audio device: {error}.", "Alarms are seen, not heard.")
    if not names or devices.backend.lower() == "null":
        return _warn("No audio device.", "Alarms are seen, not heard.")
    return _ok(f"{names[0]}.")


def _check_resources() -> Check:
    names = ("icons", "sounds", "demo/cameras.json", "demo/city.json", "models/demo.onnx", "basemap/marenholm.mbtiles")
    for name in names:
        resources.path(name)
    return _ok(f"{len(names)} shipped parts are there.")


def _check_disk(folders: Folders) -> Check:
    place = folders.data
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    if free_gb < LOW_DISK_GB:
        return _fail(f"{free_gb:.1f} GB are free where {folders.data} lies.", "Make room.")
    if free_gb < ENOUGH_DISK_GB:
        return _warn(f"{free_gb:.1f} GB are free where {folders.data} lies.", "Recordings will need more.")
    return _ok(f"{free_gb:.0f} GB are free.")


def _check_permissions(folders: Folders) -> Check:
    folders.make()
    for folder in (folders.data, folders.runtime):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"Watchfloor")
            file.flush()
            os.fsync(file.fileno())
    return _ok(f"{folders.data} and {folders.runtime} can be written.")
