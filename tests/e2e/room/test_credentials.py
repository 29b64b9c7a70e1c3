"""After a day with cameras that let us in and cameras that do not, no password lies anywhere."""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import msgspec
import paho.mqtt.client as mqtt
import psutil
import pytest

from core.cameras.model import Camera
from core.cameras.onvif.model import CameraDescription, PtzHead, Velocity
from core.kernel.errors import ConsoleError
from core.kernel.paths import default_folders
from core.media.model import ProbeResult, SourceSpec, StreamState
from core.sim.onvif import Authentication, OnvifSimulator
from tests.fixtures.link import Desk, at_desk

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc and ends a worker by SIGABRT"),
]

USER = "gatekeeper"
RIGHT, WRONG, TYPED = "Zaun/könig@4711", "Gold=ammer&0815", "Rot~kehlchen+42"


class Ears:
    """Hears everything that is said on the broker."""

    def __init__(self, host: str, port: int) -> None:
        self.heard = b""
        self._lock = threading.Lock()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect(host, port)
        self._client.subscribe("#")
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self.heard += message.topic.encode() + b" " + message.payload + b"\n"


@pytest.fixture
def ears(mosquitto):
    ears = Ears(mosquitto.host, mosquitto.port)
    yield ears
    ears.close()


class NotingDesk(Desk):
    """Keeps every word that the node said to this console."""

    told = b""

    def _on_push(self, topic, data) -> None:
        self.told += msgspec.json.encode(data)
        super()._on_push(topic, data)

    async def ask(self, verb, kind=None, **arguments):
        """Ask, and note the answer or the refusal."""
        try:
            answer = await self.client.call(verb, kind, **arguments)
        except ConsoleError as error:
            self.told += f"{error.message} {error.hint}".encode()
            return None
        self.told += msgspec.json.encode(answer)
        return answer


def test_no_password_lies_anywhere_after_cameras_that_let_us_in_and_cameras_that_do_not(
    start_node, start_camera, mosquitto, ears, capfd
):
    willing = start_camera(username=USER, password=RIGHT)
    strict = start_camera(username=USER, password="of another kind")
    node = start_node(
        f"broker.host={mosquitto.host}",
        f"broker.port={mosquitto.port}",
        "vision.model=demo",
        environment={"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
    )
    seen: dict[str, bytes] = {}

    async def scenario(quiet_desk):
        desk = NotingDesk(node.folder)
        try:
            await desk.enter()
            await use_cameras(desk, willing.url, strict.url)
            seen["command lines"] = command_lines(node.process.pid)
            crash_a_worker(node.process.pid)
            await desk.until(lambda: crash_reports(node.folder), "a crash report")
        finally:
            seen["what the console was told"] = desk.told
            await desk.client.close()

    at_desk(node.folder, scenario)
    node.stop()
    out, err = capfd.readouterr()
    seen |= {
        "what is said on the broker": ears.heard,
        "the terminal": (out + err).encode(),
        "files of the broker": mosquitto.log.encode(),
        "files": b"".join(content_of(node.folder)) + b"".join(content_of(default_folders(node.folder).runtime)),
    }

    # The search finds what may be there: otherwise it would prove nothing.
    assert all(USER.encode() in seen[place] for place in ("what the console was told", "files"))
    assert b"main.py" in seen["command lines"]
    assert b"watchfloor/v1/" in seen["what is said on the broker"]
    assert b"SIGABRT" in b"".join(crash_reports(node.folder)) or b"Aborted" in b"".join(crash_reports(node.folder))
    for place, content in seen.items():
        for spelling in spellings():
            assert spelling not in content, f"{spelling!r} stands in {place}"


async def use_cameras(desk: NotingDesk, willing_url: str, strict_url: str) -> None:
    """Add, test, change, steer and lose cameras, with passwords that fit and others."""
    parameters = f"?user={USER}&pwd={quote(TYPED, safe='')}"
    with_login = willing_url.replace("rtsp://", f"rtsp://{USER}:{quote(RIGHT, safe='')}@")
    with OnvifSimulator(username=USER, password=RIGHT, authentication=Authentication.HTTP_MD5) as head:
        live = await add(desk, with_login, sub_address=with_login, onvif_address=head.address)
        refused = await add(desk, strict_url, username=USER, password=WRONG)
        typed = await add(desk, strict_url + parameters)
        wanted = {live: StreamState.LIVE, refused: StreamState.UNAUTHORISED, typed: StreamState.UNAUTHORISED}
        await desk.until(
            lambda: all(key in desk.streams and desk.streams[key].state is state for key, state in wanted.items()),
            "one live camera and two that refuse",
        )
        for password in (RIGHT, WRONG):
            await desk.ask("onvif.describe", CameraDescription, address=head.address, username=USER, password=password)
            source = SourceSpec(address=willing_url, username=USER, password=password)
            await desk.ask("cameras.test", ProbeResult, source=source, camera_id="")
        await desk.ask("cameras.test", ProbeResult, source=SourceSpec(address=strict_url + parameters), camera_id="")
        found = await desk.ask("ptz.look", PtzHead, camera_id=live)
        assert found is not None, desk.told[-300:]
        assert found.abilities.can_turn
        await desk.ask("ptz.step", camera_id=live, by=Velocity(pan=0.1))


async def add(desk: NotingDesk, address: str, *, password: str = "", **settings: str) -> str:
    draft = Camera(camera_id="", name=f"Gate of {USER}", address=address, **settings)
    return (await desk.ask("cameras.add", Camera, camera=draft, password=password)).camera_id


def spellings() -> list[bytes]:
    """Every way in which a password may be written: plain, in an address, in JSON, as a Basic login, as a digest."""
    found = []
    for password in (RIGHT, WRONG, TYPED):
        plain = password.encode()
        login = base64.b64encode(f"{USER}:{password}".encode())
        found += [
            plain,
            quote(password, safe="").encode(),
            quote(password).encode(),
            json.dumps(password)[1:-1].encode(),
        ]
        found += [login, base64.b64encode(plain), hashlib.md5(plain).hexdigest().encode()]
    return found


def command_lines(pid: int) -> bytes:
    """What every user of the machine may read of the node and its workers."""
    everyone = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return b"\n".join(Path(f"/proc/{one.pid}/cmdline").read_bytes() for one in everyone)


def crash_a_worker(pid: int) -> None:
    """Let each vision process end as a broken driver would let it."""
    for child in psutil.Process(pid).children(recursive=True):
        if "spawn_main" in " ".join(child.cmdline()):
            os.kill(child.pid, signal.SIGABRT)


def crash_reports(folder: Path) -> list[bytes]:
    reports = [path.read_bytes() for path in default_folders(folder).logs.glob("*.crash.log")]
    return [report for report in reports if report]


def content_of(folder: Path) -> list[bytes]:
    """Every file below a folder, pictures included."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
