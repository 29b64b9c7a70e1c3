import os
import traceback
from pathlib import Path

import av
import numpy as np
import pytest

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.media.model import SourceSpec
from core.media.parameters import public_address
from core.media.probe import probe
from core.media.source import address_kind, file_path, open_source
from tests.fixtures.clips import make_clip, make_tone
from tests.fixtures.processes import free_port
from tests.fixtures.testdata import testdata

# Cameras' addresses without their scheme, which else are the names of files; and what may be shown of each.
BARE = {
    "cam_1:secret@10.0.0.5/stream1": "10.0.0.5/stream1",
    "888888:sec/ret@10.0.0.5/cam": "10.0.0.5/cam",
    "a:secret@10.0.0.5": "10.0.0.5",
    "10.0.0.5/user=admin_password=secret_channel=1.sdp": "10.0.0.5/user={user}_password={password}_channel=1.sdp",
    "password=secret": "password={password}",
    "//admin:secret@10.0.0.5/s": "10.0.0.5/s",
    "\\\\admin:secret@10.0.0.5\\s": "10.0.0.5\\s",
    "rtsp//admin:secret@10.0.0.5/s": "10.0.0.5/s",
    "rtsp:/admin:secret@10.0.0.5/s": "10.0.0.5/s",
    "admin:secret@10.0.0.5/s": "10.0.0.5/s",
    "1. rtsp://admin:secret@10.0.0.5/s": "10.0.0.5/s",
    "demo:secret@10.0.0.5/s": "10.0.0.5/s",
    "file://admin:secret@nas/a.mp4": "nas/a.mp4",
}


def read_all(source) -> list[av.VideoFrame]:
    frames = []
    while (read := source.read()) is not None:
        frames += read
    return frames


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("rtsp://10.0.0.7/stream", "rtsp"),
        ("RTSPS://camera.local:322/s", "rtsps"),
        ("rtmp://drone.local/live/down", "rtmp"),
        ("rtmps://drone.local/live/down", "rtmps"),
        ("http://camera/mjpg", "http"),
        ("webcam:0", "webcam"),
        ("synthetic:north", "synthetic"),
        ("/srv/clips/a.mp4", "file"),
        ("clips/a.mp4", "file"),
        ("C:\\clips\\a.mp4", "file"),
        ("d:/clips/a.mp4", "file"),
        ("\\\\server\\share\\a.mp4", "file"),
        ("file:///srv/a.mp4", "file"),
    ],
)
def test_an_address_tells_what_it_leads_to(address, kind):
    assert address_kind(address) == kind


@pytest.mark.parametrize("address", ["", "  ", "ftp://host/a", "concat:a|b", "pipe:0", "rtsp://", "rtsp://host:port/x"])
def test_an_address_that_leads_nowhere_is_refused_with_a_way_out(address):
    with pytest.raises(BadInputError) as caught:
        open_source(SourceSpec(address=address))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:secret@cam:554/s?x=1", "rtsp://cam:554/s?x=1"),
        ("rtsp://admin:se@cret@cam/s", "rtsp://cam/s"),
        ("rtsp://admin:sec/ret@cam/s", "rtsp://cam/s"),
        ("rtsp://cam/at@home", "rtsp://cam/at@home"),
        ("rtsp://[fe80::1]/s", "rtsp://[fe80::1]/s"),
        ("C:\\clips\\a@b.mp4", "C:\\clips\\a@b.mp4"),
        ("http://cam/video.cgi?user=a&pwd=secret&rate=0", "http://cam/video.cgi?user={user}&pwd={password}&rate=0"),
        (
            "rtsp://cam/user=a_password=sec_ret_channel=1.sdp",
            "rtsp://cam/user={user}_password={password}_channel=1.sdp",
        ),
        ("rtsp://u:secret@cam/live?token=secret", "rtsp://cam/live?token={password}"),
        ("rtsp://cam/live?user=1&bypass=2", "rtsp://cam/live?user=1&bypass=2"),
        *BARE.items(),
    ],
)
def test_a_password_typed_into_the_address_is_never_shown(address, shown):
    assert public_address(address) == shown
    assert repr(SourceSpec(address=address)) == repr(SourceSpec(address=shown))


@pytest.mark.parametrize("address", BARE)
def test_a_camera_s_address_without_its_scheme_is_no_file_and_its_password_is_not_repeated(address):
    found = probe(SourceSpec(address=address), timeout_s=5.0)

    assert not found.ok
    assert "rtsp://" in found.hint
    assert not any(part in found.message + found.hint for part in ("sec", "10.0.0.5", "nas"))


@pytest.mark.parametrize(
    "address",
    [
        "/data/a@b.mp4",
        "/data/clip:1.mp4",
        "/data/12:30@gate.mp4",
        "clip_1:2.mp4",
        "clips/a@b.mp4",
        "C:\\clips\\a@b.mp4",
        "\\\\server\\share\\a@b.mp4",
        "file:///C:/clips/a@b.mp4",
        "/home/olga@city/password.mp4",
        "edge:/home/olga@city/c1.jpg",
        "webcam:/dev/v4l/by-path/pci-0000:00:14.0@1",
    ],
)
def test_names_with_signs_of_a_login_that_hold_none_lead_where_they_did(address):
    assert address_kind(address) in {"file", "edge", "webcam"}
    assert public_address(address) == address


def test_a_file_with_signs_of_a_login_in_its_name_is_played(tmp_path):
    clip = make_clip(tmp_path / "12:30@gate.mp4" if os.name != "nt" else tmp_path / "a@gate.mp4", n_frames=5)

    assert probe(SourceSpec(address=str(clip)), timeout_s=10.0).ok


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///srv/a%20b.mp4", "/srv/a b.mp4"),
        ("file:clips/a.mp4", "clips/a.mp4"),
        ("/srv/a%20b.mp4", "/srv/a%20b.mp4"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
def test_a_file_address_becomes_a_path(address, path):
    assert file_path(address) == Path(path)


def test_nothing_that_an_error_leaves_behind_contains_the_password():
    spec = SourceSpec(address=f"rtsp://127.0.0.1:{free_port()}/s", username="admin", password="hunter2secret")

    with pytest.raises(UnavailableError, match="refuses the connection") as caught:
        open_source(spec)

    error = caught.value
    text = "".join(traceback.format_exception(error)) + repr(error.__context__) + repr(error.__cause__) + repr(spec)
    assert "hunter2" not in text


def test_a_file_is_read_to_its_last_picture(tmp_path):
    source = open_source(SourceSpec(address=str(make_clip(tmp_path / "a.mp4", n_frames=30))))

    frames = read_all(source)

    assert (source.width, source.height, source.fps, source.codec, source.is_live) == (320, 192, 25.0, "h264", False)
    assert len(frames) == 30
    assert source.n_bytes > 1000
    source.close()


def test_a_file_can_be_played_again_from_its_first_picture(tmp_path):
    source = open_source(SourceSpec(address=str(make_clip(tmp_path / "a.mp4", n_frames=30))))
    first = [frame.to_ndarray(format="gray").tobytes() for frame in read_all(source)]

    source.rewind()

    assert [frame.to_ndarray(format="gray").tobytes() for frame in read_all(source)] == first
    source.close()


def test_key_frames_alone_are_a_fraction_of_the_work_and_all_pictures_come_back_without_smear(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=100, pictures_per_key=20)
    whole = open_source(SourceSpec(address=str(clip)))
    expected = {frame.pts: frame.to_ndarray(format="gray") for frame in read_all(whole)}
    source = open_source(SourceSpec(address=str(clip)))
    source.set_keyframes_only(True)
    sparse: list[av.VideoFrame] = []
    while len(sparse) < 2:
        sparse += source.read() or []
    for _ in range(5):
        sparse += source.read() or []

    source.set_keyframes_only(False)
    rest = read_all(source)

    assert [frame.key_frame for frame in sparse] == [True, True]
    assert rest[0].key_frame
    assert len(rest) == 60
    for frame in rest:
        np.testing.assert_array_equal(frame.to_ndarray(format="gray"), expected[frame.pts])
    whole.close()
    source.close()


def test_right_after_a_key_frame_all_pictures_can_be_asked_for_without_a_wait_for_the_next(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=100, pictures_per_key=20)
    whole = open_source(SourceSpec(address=str(clip)))
    expected = [frame.to_ndarray(format="gray") for frame in read_all(whole)]
    source = open_source(SourceSpec(address=str(clip)))
    source.set_keyframes_only(True)
    sparse: list[av.VideoFrame] = []
    while len(sparse) < 2:
        sparse += source.read() or []

    source.set_keyframes_only(False)
    rest = [frame.to_ndarray(format="gray") for frame in read_all(source)]

    assert len(rest) >= 79
    for picture, as_expected in zip(rest, expected[-len(rest) :], strict=True):
        np.testing.assert_array_equal(picture, as_expected)
    whole.close()
    source.close()


def test_the_made_up_street_is_the_same_everywhere_and_another_one_by_another_name():
    def pictures(name: str) -> list[bytes]:
        source = open_source(SourceSpec(address=f"synthetic:{name}"))
        return [source.read()[0].to_ndarray(format="rgb24").tobytes() for _ in range(20)]

    assert pictures("north") == pictures("north")
    assert pictures("north") != pictures("south")
    assert len(set(pictures("north"))) == 20


def test_a_missing_file_is_named():
    with pytest.raises(BadInputError, match=r"/no/such/clip\.mp4 does not exist"):
        open_source(SourceSpec(address="/no/such/clip.mp4"))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BadInputError, match="is no file"):
        open_source(SourceSpec(address=str(tmp_path)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_does_not_block_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(BadInputError, match="is no file"):
        open_source(SourceSpec(address=str(tmp_path / "pipe")))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it_says_so(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=5)
    clip.chmod(0)

    with pytest.raises(BadInputError, match="may not be read"):
        open_source(SourceSpec(address=str(clip)))


def test_a_file_with_sound_only_says_so(tmp_path):
    with pytest.raises(BadInputError, match="has no picture: sound or data only"):
        open_source(SourceSpec(address=str(make_tone(tmp_path / "a.mp4"))))


@pytest.mark.parametrize("content", [b"", b"this is a text, not a video\n" * 50, os.urandom(20_000)])
def test_a_file_that_is_no_video_is_a_sentence(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)

    result = probe(SourceSpec(address=str(path)))

    assert not result.ok
    assert "a.mp4" in result.message
    assert result.hint


def test_a_playlist_cannot_reach_for_the_network(tmp_path):
    playlist = tmp_path / "a.m3u8"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1:{free_port()}/x.ts\n#EXT-X-ENDLIST\n"
    )

    result = probe(SourceSpec(address=str(playlist)), timeout_s=3)

    assert not result.ok
    assert result.message


def test_a_damaged_file_is_played_as_far_as_it_goes(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=100)
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (len(data) - start) // 3
    data[middle : middle + 400] = os.urandom(400)
    clip.write_bytes(bytes(data))
    source = open_source(SourceSpec(address=str(clip)))

    assert len(read_all(source)) > 50
    source.close()


def test_a_recording_cut_off_before_its_index_is_a_sentence(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=50)
    clip.write_bytes(clip.read_bytes()[:2000])

    with pytest.raises(ConsoleError, match="damaged, or not a video"):
        open_source(SourceSpec(address=str(clip)))


def test_a_probe_brings_size_rate_codec_and_a_small_picture(tmp_path):
    result = probe(SourceSpec(address=str(make_clip(tmp_path / "a.mp4", width=1280, height=720, n_frames=10))))

    picture = av.CodecContext.create("mjpeg", "r").decode(av.Packet(result.thumbnail_jpeg))[0]
    assert result.ok
    assert (result.width, result.height, result.fps, result.codec) == (1280, 720, 25.0, "h264")
    assert result.message == "1280x720 h264 at 25 frames/s."
    assert (picture.width, picture.height) == (320, 180)


def test_a_webcam_that_is_not_there_is_a_sentence():
    result = probe(SourceSpec(address="webcam:97"), timeout_s=4)

    assert not result.ok
    assert "no webcam 97" in result.message


@pytest.mark.parametrize("address", ["/dev/video97", "webcam:/dev/v4l/by-id/usb-Nobody-video-index0"])
def test_a_webcam_is_named_by_its_device_as_well(address):
    result = probe(SourceSpec(address=address), timeout_s=4)

    assert not result.ok
    assert "There is no webcam" in result.message
    assert result.hint


@pytest.mark.testdata
def test_real_portrait_footage_opens_upright():
    result = probe(SourceSpec(address=str(testdata("video/traffic_intersection_portrait_br.mp4"))))

    assert result.ok
    assert (result.width, result.height) == (720, 1280)


def test_a_drive_that_is_gone_in_the_middle_of_a_file_is_a_sentence(tmp_path, monkeypatch):
    # Larger than what libav reads ahead.
    clip = make_clip(tmp_path / "a.mp4", width=1280, height=720, n_frames=100, pictures_per_key=1)
    source = open_source(SourceSpec(address=str(clip)))
    assert source.read()

    class GoneFile:
        def read(self, n_bytes: int) -> bytes:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            pass

    monkeypatch.setattr(source._file, "_file", GoneFile())

    with pytest.raises(UnavailableError, match="Input/output error"):
        list(iter(source.read, None))
    source.close()
