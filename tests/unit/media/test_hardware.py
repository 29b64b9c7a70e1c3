"""What decodes is tried for real, and a device that does not work costs no picture."""

import os
import threading

import pytest
from av.codec.hwaccel import hwdevices_available

from core.kernel.clock import SystemClock
from core.media import hardware
from core.media.hardware import SOFTWARE, choose_hardware, try_to_decode
from core.media.model import SourceSpec, StreamState
from core.media.source import HardwareDecodeError, open_source
from core.media.stream import CameraStream
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until

# Built into libav on every platform of ours, with a device number that no machine has.
ABSENT = {"cuda": "cuda:97", "videotoolbox": "nosuchdevice"}.get(
    next((name for name in ("cuda", "videotoolbox") if name in hwdevices_available()), ""), "nosuchdevice"
)


def test_switched_off_means_software_without_a_trial():
    chosen = choose_hardware("off")

    assert chosen.name == SOFTWARE
    assert "switched off" in chosen.reason


def test_a_name_that_libav_does_not_know_is_said():
    chosen = choose_hardware("warp-drive")

    assert chosen.name == SOFTWARE
    assert "warp-drive" in chosen.reason


def test_a_device_that_does_not_exist_fails_its_trial():
    assert try_to_decode(ABSENT)


def test_a_driver_that_takes_its_process_with_it_is_survived(monkeypatch):
    monkeypatch.setattr(hardware, "_candidates", lambda setting, known: ["cuda"])
    monkeypatch.setattr(hardware, "_answer", _crash)

    chosen = choose_hardware("auto")

    assert chosen.name == SOFTWARE
    assert "ended the process" in chosen.reason


def test_a_driver_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(hardware, "_candidates", lambda setting, known: ["cuda"])
    monkeypatch.setattr(hardware, "_answer", _hang)

    chosen = choose_hardware("auto", timeout_s=0.5)

    assert chosen.name == SOFTWARE
    assert "did not answer" in chosen.reason


def test_the_trial_of_an_absent_device_in_its_own_process_gives_its_reason(monkeypatch):
    monkeypatch.setattr(hardware, "_candidates", lambda setting, known: [ABSENT])

    chosen = choose_hardware("auto")

    assert chosen.name == SOFTWARE
    assert chosen.reason.startswith(f"{ABSENT}: ")


def test_opening_with_an_absent_device_says_that_software_can_do_it(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=5)

    with pytest.raises(HardwareDecodeError, match="cannot decode"):
        open_source(SourceSpec(address=str(clip), hardware=ABSENT))


def test_a_camera_whose_device_does_not_exist_is_live_in_software_at_once(tmp_path):
    frames, states = [], []
    stream = CameraStream(
        "cam-1",
        SourceSpec(address=str(make_clip(tmp_path / "a.mp4", n_frames=10)), loops=True, hardware=ABSENT),
        on_frame=frames.append,
        on_state=lambda *state: states.append(state[0]),
        clock=SystemClock(),
    )
    stream.start()
    try:
        wait_until(lambda: len(frames) >= 15, what="pictures")
        report = stream.report()
    finally:
        assert stream.stop()

    assert states == [StreamState.CONNECTING, StreamState.LIVE]
    assert report.decoder == SOFTWARE
    assert report.n_reconnects == 0


def _crash(connection: object, name: str) -> None:
    os._exit(139)


def _hang(connection: object, name: str) -> None:
    threading.Event().wait(60)
