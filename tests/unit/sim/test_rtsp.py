"""The camera simulator behaves, and misbehaves, as cameras do."""

import contextlib
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import pytest

import resources
from core.kernel.errors import BadInputError, UnavailableError
from core.sim.h264 import load_clip
from core.sim.rtsp import Authentication, Content, RtspCamera
from tests.fixtures.clips import make_clip, make_tone
from tests.fixtures.processes import find_program, wait_until
from tests.fixtures.rtsp import rtsp_camera, start_camera  # noqa: F401
from tests.fixtures.testdata import testdata

ROOT = Path(__file__).resolve().parents[3]
FAST_OPEN = {"timeout": "3000000", "analyzeduration": "1", "probesize": "32", "fpsprobesize": "0"}


def with_user(url: str, user: str, password: str) -> str:
    return url.replace("rtsp://", f"rtsp://{user}:{password}@")


def read_frames(url: str, n_frames: int, *, transport: str = "tcp", timeout_s: float = 3.0) -> list[av.VideoFrame]:
    options = FAST_OPEN | {"rtsp_transport": transport, "timeout": str(int(timeout_s * 1e6))}
    frames = []
    with av.open(url, options=options) as container:
        for frame in container.decode(video=0):
            frames.append(frame)
            if len(frames) == n_frames:
                break
    return frames


def square_left(frame: av.VideoFrame) -> int:
    row = frame.to_ndarray(format="gray")[frame.height // 2]
    return int((row > 140).argmax())


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_the_picture_arrives_and_moves(rtsp_camera, transport):  # noqa: F811
    frames = read_frames(rtsp_camera.url, 10, transport=transport)

    lefts = [square_left(frame) for frame in frames]
    assert [frame.width for frame in frames] == [320] * 10
    assert lefts == [lefts[0] + 4 * n for n in range(10)]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffprobe_understands_the_stream(rtsp_camera, transport):  # noqa: F811
    ffprobe = find_program("ffprobe", install="sudo apt-get install -y ffmpeg")
    asked = [ffprobe, "-v", "error", "-rtsp_transport", transport, "-show_streams", "-of", "json", rtsp_camera.url]

    said = subprocess.run(asked, capture_output=True, timeout=30, check=True)

    (stream,) = json.loads(said.stdout)["streams"]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 320, 192)
    assert stream["avg_frame_rate"] == "25/1"
    assert said.stderr == b""


def test_pictures_come_at_their_own_speed(rtsp_camera):  # noqa: F811
    frames = read_frames(rtsp_camera.url, 1)
    began = time.monotonic()
    frames = read_frames(rtsp_camera.url, 26)
    took_s = time.monotonic() - began

    assert frames[-1].time - frames[1].time == pytest.approx(24 / 25, abs=0.001)
    assert took_s >= 0.9


def test_time_stamps_go_on_through_the_end_of_the_clip(start_camera, tmp_path):  # noqa: F811
    camera = start_camera(make_clip(tmp_path / "short.mp4", n_frames=10))

    frames = read_frames(camera.url, 25)

    times = [frame.time for frame in frames[1:]]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert steps == pytest.approx([1 / 25] * len(steps), abs=0.001)


def test_the_time_a_picture_was_sent_is_known_by_its_time_stamp(rtsp_camera):  # noqa: F811
    before = time.monotonic()
    frames = read_frames(rtsp_camera.url, 12)
    after = time.monotonic()

    sent = [rtsp_camera.sent_at(frame.time) for frame in frames[1:]]

    assert all(at is not None and before < at < after for at in sent)
    assert sent == sorted(sent)
    assert rtsp_camera.sent_at(999.0) is None


@pytest.mark.parametrize("authentication", list(Authentication))
def test_a_camera_with_a_password_lets_in_who_knows_it(start_camera, authentication):  # noqa: F811
    camera = start_camera(username="viewer", password="s3cret", authentication=authentication)

    assert len(read_frames(with_user(camera.url, "viewer", "s3cret"), 2)) == 2
    with pytest.raises(av.error.HTTPUnauthorizedError):
        read_frames(with_user(camera.url, "viewer", "wrong"), 1)
    with pytest.raises(av.error.HTTPUnauthorizedError):
        read_frames(camera.url, 1)


def test_an_unknown_path_is_not_found(rtsp_camera):  # noqa: F811
    with pytest.raises(av.error.HTTPNotFoundError):
        read_frames(rtsp_camera.url.replace("/stream", "/elsewhere"), 1)


def test_a_stalled_camera_accepts_and_says_nothing(rtsp_camera):  # noqa: F811
    rtsp_camera.stall()
    began = time.monotonic()

    with pytest.raises(av.error.FFmpegError):
        read_frames(rtsp_camera.url, 1, timeout_s=0.5)

    assert 0.4 < time.monotonic() - began < 3
    rtsp_camera.go()
    assert read_frames(rtsp_camera.url, 1)


def test_a_stall_shows_in_the_time_stamps_and_loses_no_picture(rtsp_camera):  # noqa: F811
    frames = []
    with av.open(rtsp_camera.url, options=FAST_OPEN) as container:
        for frame in container.decode(video=0):
            frames.append(frame)
            if len(frames) == 5:
                rtsp_camera.stall()
                threading.Timer(0.8, rtsp_camera.go).start()
            if len(frames) == 12:
                break

    times = [frame.time for frame in frames[1:]]
    longest_s = max(later - earlier for earlier, later in itertools.pairwise(times))
    assert longest_s == pytest.approx(0.8, abs=0.3)
    assert [square_left(frame) - square_left(frames[0]) for frame in frames] == [4 * n for n in range(12)]


def test_dropped_clients_are_reset_and_may_come_back(rtsp_camera):  # noqa: F811
    n_read = 0
    # A reset reads as an error or as the end, by where it hits the reader.
    with contextlib.suppress(av.error.FFmpegError), av.open(rtsp_camera.url, options=FAST_OPEN) as container:
        for _frame in container.decode(video=0):
            n_read += 1
            if n_read == 3:
                rtsp_camera.drop_clients()
            if n_read == 50:
                break

    assert 3 <= n_read < 10
    assert read_frames(rtsp_camera.url, 1)
    wait_until(lambda: rtsp_camera.n_clients == 0, what="the last client to be forgotten")
    assert rtsp_camera.n_sessions == 2


def test_a_refusing_camera_is_back_on_its_port(rtsp_camera):  # noqa: F811
    url = rtsp_camera.url
    rtsp_camera.refuse()
    with pytest.raises(av.error.ConnectionRefusedError):
        read_frames(url, 1)

    rtsp_camera.accept()

    assert rtsp_camera.url == url
    assert read_frames(url, 1)


def test_a_camera_may_have_sound_only(rtsp_camera):  # noqa: F811
    rtsp_camera.show(Content.AUDIO_ONLY)

    with av.open(rtsp_camera.url, options=FAST_OPEN) as container:
        assert not container.streams.video
        assert next(container.decode(audio=0)).sample_rate == 8000


def test_a_codec_that_nobody_knows_gives_no_picture(rtsp_camera):  # noqa: F811
    rtsp_camera.show(Content.UNKNOWN_CODEC)

    with pytest.raises((av.error.FFmpegError, ValueError, IndexError)):
        read_frames(rtsp_camera.url, 1, timeout_s=1.0)


def test_a_corrupt_stream_gives_no_picture_until_it_is_mended(rtsp_camera):  # noqa: F811
    rtsp_camera.show(Content.CORRUPT)
    n_packets, n_frames = 0, 0
    with av.open(rtsp_camera.url, options=FAST_OPEN) as container:
        for packet in container.demux(video=0):
            n_packets += 1
            with contextlib.suppress(av.error.InvalidDataError):
                n_frames += len(packet.decode())
            if n_packets == 15:
                break
    assert n_frames == 0

    rtsp_camera.show(Content.VIDEO)

    assert read_frames(rtsp_camera.url, 3)


def test_the_size_may_change_in_the_middle_of_the_stream(rtsp_camera, tmp_path):  # noqa: F811
    other = make_clip(tmp_path / "wide.mp4", width=480, height=272)
    sizes, times = [], []
    with av.open(rtsp_camera.url, options=FAST_OPEN) as container:
        for frame in container.decode(video=0):
            sizes.append((frame.width, frame.height))
            times.append(frame.time)
            if len(sizes) == 5:
                rtsp_camera.switch_clip(other)
            if len(sizes) == 20:
                break

    assert sizes[0] == (320, 192)
    assert sizes[-1] == (480, 272)
    assert times[1:] == sorted(times[1:])


def test_a_clip_that_is_none_is_refused_with_a_sentence(tmp_path):
    not_a_clip = tmp_path / "notes.mp4"
    not_a_clip.write_text("no clip")

    with pytest.raises(BadInputError, match=r"notes\.mp4 cannot be read"):
        RtspCamera(not_a_clip)
    with pytest.raises(BadInputError, match=r"tone\.mp4 has no video"):
        RtspCamera(make_tone(tmp_path / "tone.mp4"))
    with pytest.raises(BadInputError, match=r"gone\.mp4 cannot be read"):
        RtspCamera(tmp_path / "gone.mp4")


def test_a_taken_port_is_refused_with_a_sentence(rtsp_camera, tmp_path):  # noqa: F811
    with pytest.raises(UnavailableError, match=f"cannot listen on 127.0.0.1:{rtsp_camera.port}"):
        RtspCamera(make_clip(tmp_path / "other.mp4"), rtsp_camera.port).start()


def test_nonsense_from_a_client_does_not_disturb_the_others(rtsp_camera):  # noqa: F811
    for nonsense in (b"\x16\x03\x01\x00\xa5" * 200, b"GET / HTTP/1.1\r\n\r\n", b"$\x00\xff\xff", b"A" * 200_000):
        with socket.create_connection(("127.0.0.1", rtsp_camera.port), timeout=2) as raw:
            raw.sendall(nonsense)

    assert len(read_frames(rtsp_camera.url, 3)) == 3
    wait_until(lambda: rtsp_camera.n_clients == 0, what="every client to be forgotten")


def test_closing_leaves_no_thread_and_may_be_done_twice(tmp_path):
    before = threading.active_count()
    camera = RtspCamera(make_clip(tmp_path / "clip.mp4")).start()
    with av.open(camera.url, options=FAST_OPEN) as container:
        next(container.decode(video=0))
        camera.close()
    camera.close()

    assert threading.active_count() == before
    with pytest.raises(UnavailableError):
        camera.stall()


def test_the_command_serves_a_clip(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    command = [sys.executable, "-m", "core.sim.rtsp", str(clip), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        assert len(read_frames(url, 3)) == 3
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


def test_the_command_names_what_is_wrong(tmp_path):
    command = [sys.executable, "-m", "core.sim.rtsp", str(tmp_path / "gone.mp4")]

    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)

    assert said.returncode == 1
    assert said.stderr.startswith("gone.mp4 cannot be read")


def test_a_real_clip_with_reordered_pictures_keeps_its_times():
    clip = load_clip(testdata("video/people_oxford_street.mp4"))

    assert clip.units[0].is_key
    assert [unit.decode_s for unit in clip.units] == sorted(unit.decode_s for unit in clip.units)
    assert all(unit.pts_s >= unit.decode_s for unit in clip.units)
    assert clip.duration_s == pytest.approx(10.07, abs=0.05)


def test_every_demo_scene_can_be_served(start_camera):  # noqa: F811
    clips = (Path(resources.__file__).parent / "demo").rglob("*.mp4")
    # The renderer's unfinished files end in ".part.mp4".
    scenes = sorted(clip for clip in clips if not clip.stem.endswith(".part"))
    if not scenes:
        pytest.skip("no demo scene has been rendered yet")
    for scene in scenes:
        camera = start_camera(scene)
        frames = read_frames(camera.url, 2)
        assert frames[0].width >= 320
        camera.close()
