"""Cameras that are plugged into the machine, without one: how they are named and listed, what is said of a bad one."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from core.kernel.errors import BadInputError, UnavailableError
from core.media.webcam import Webcam, check_device, explain_device, list_webcams, webcam_address

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices of Linux")


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("webcam:0", "webcam:0"),
        (" Webcam:7 ", "webcam:7"),
        ("/dev/video4", "webcam:4"),
        ("webcam:/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",) * 2,
        ("webcam:", None),
        ("webcam:front", None),
        ("webcam:99999", None),
        ("webcam:/etc/passwd", None),
        ("webcam:/dev/v4l/by-id/../../sda", None),
        ("/dev/videos/clip.mp4", None),
        ("/data/video0", None),
    ],
)
def test_a_webcam_is_named_by_number_or_by_device(typed, address):
    assert webcam_address(typed) == address


@linux
def test_each_camera_is_listed_once_by_number_with_the_name_that_it_gives_itself(tmp_path):
    for number, index, name in ((10, 0, "Door"), (2, 0, "Desk"), (3, 1, "Desk")):
        folder = tmp_path / f"video{number}"
        folder.mkdir()
        (folder / "index").write_text(f"{index}\n")
        (folder / "name").write_text(f"{name}\n")
    (tmp_path / "v4l-subdev0").mkdir()

    assert list_webcams(tmp_path) == (
        Webcam(address="webcam:2", name="Desk"),
        Webcam(address="webcam:10", name="Door"),
    )
    assert list_webcams(tmp_path / "nothing") == ()


@linux
def test_what_is_not_there_and_what_is_a_file_are_said(tmp_path):
    file = tmp_path / "video0"
    file.touch()

    with pytest.raises(BadInputError, match="There is no webcam 9 on this machine"):
        check_device(tmp_path / "video9", "webcam 9")
    with pytest.raises(BadInputError, match="webcam 0 is no camera"):
        check_device(file, "webcam 0")


@linux
def test_a_device_that_the_user_may_not_open_names_the_group():
    devices = (entry for entry in os.scandir("/dev") if stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode))
    closed = next((entry.path for entry in devices if not entry.stat().st_mode & stat.S_IRWXO), None)
    if closed is None:
        pytest.skip("every device of this machine is open to everybody")
    # As nobody: root may open everything.
    program = (
        "import os, sys; from pathlib import Path; from core.media.webcam import check_device\n"
        "os.geteuid() == 0 and (os.setgroups([]), os.setgid(65534), os.setuid(65534))\n"
        "try: check_device(Path(sys.argv[1]), 'webcam 0')\n"
        "except Exception as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program, closed], capture_output=True, text=True, check=True).stdout

    assert "webcam 0 may not be opened. Add the user who runs the node to the group video" in said


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EBUSY, UnavailableError, "being used by another program"),
        (errno.EACCES, UnavailableError, "group video"),
        (errno.ENOTTY, BadInputError, "no camera, or it was unplugged"),
        (errno.ENODEV, BadInputError, "no camera, or it was unplugged"),
        (errno.EIO, UnavailableError, "plug it in again"),
    ],
)
def test_what_a_driver_says_becomes_a_sentence_with_a_way_out(number, kind, words):
    error = explain_device(OSError(number, os.strerror(number)), "webcam 0")

    assert isinstance(error, kind)
    assert words in str(error)
    assert error.hint
