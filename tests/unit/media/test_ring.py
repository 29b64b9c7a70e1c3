import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.errors import BadInputError, UnavailableError
from core.media.ring import _W_FRAME, MAX_TRACKS, FrameRing, RingReader, TrackMark
from tests.fixtures.processes import wait_until


def picture(width: int, height: int, value: int) -> np.ndarray:
    return np.full((height, width, 4), value, np.uint8)


def write(ring: FrameRing, bgra: np.ndarray, *, pts_s: float = 0.0, epoch: int = 1) -> int:
    return ring.write_frame(bgra, pts_s=pts_s, received_s=5.5, captured_at_s=1_700_000_000.25, epoch=epoch)


def mark(track_id: int, label: str = "car", score: float = 0.5) -> TrackMark:
    return TrackMark(
        track_id=track_id, label=label, score=score, bbox_xyxy=(0.25, 0.5, 0.75, 1.0), velocity_xy=(-0.5, 2.0)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "camera.ring"


@pytest.fixture
def ring(path: Path):
    made = FrameRing.create(path, camera_id="nord-müller/7")
    yield made
    made.close()


@pytest.fixture
def reader(ring: FrameRing, path: Path):
    opened = RingReader.open(path)
    yield opened
    opened.close()


def test_a_picture_arrives_whole_with_its_three_clocks(ring, reader):
    bgra = np.random.default_rng(1).integers(0, 256, (270, 480, 4), np.uint8)

    sequence = write(ring, bgra, pts_s=12.5, epoch=3)
    frame = reader.newest_frame(0)

    assert (frame.sequence, frame.pts_s, frame.received_s, frame.captured_at_s) == (
        sequence,
        12.5,
        5.5,
        1_700_000_000.25,
    )
    assert (frame.epoch, frame.width, frame.height) == (3, 480, 270)
    assert frame.data == bgra.tobytes()


def test_an_empty_ring_has_no_picture_and_no_tracks(reader):
    assert reader.newest_frame(0) is None
    assert reader.tracks_after(0) == []


def test_only_a_newer_picture_is_handed_out(ring, reader):
    first = write(ring, picture(4, 4, 1))
    assert reader.newest_frame(first) is None

    write(ring, picture(4, 4, 2))
    third = write(ring, picture(6, 2, 3))

    newest = reader.newest_frame(first)
    assert (newest.sequence, newest.width, newest.data[0]) == (third, 6, 3)


def test_rows_that_do_not_touch_are_written_as_one_picture(ring, reader):
    wide = np.random.default_rng(2).integers(0, 256, (10, 40, 4), np.uint8)

    write(ring, wide[2:8, 5:25])

    assert reader.newest_frame(0).data == wide[2:8, 5:25].tobytes()


def test_a_picture_larger_than_a_slot_is_refused_with_both_sizes(path):
    ring = FrameRing.create(path, camera_id="c", max_wh=(64, 48))

    with pytest.raises(BadInputError, match="66x48 does not fit 64x48"):
        write(ring, picture(66, 48, 0))
    ring.close()


needs_holes = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a memory file system with holes")


@pytest.fixture
def shm_path():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder) / "camera.ring"


def memory_of(path: Path) -> int:
    return path.stat().st_blocks * 512


@needs_holes
def test_a_4k_picture_fits_and_its_memory_is_given_back_when_the_tile_is_small_again(shm_path):
    ring = FrameRing.create(shm_path, camera_id="c")
    with contextlib.closing(RingReader.open(shm_path)) as reader:
        empty = memory_of(shm_path)
        for value in (1, 2, 3):
            write(ring, picture(3840, 2160, value))
        large = memory_of(shm_path)
        for value in (4, 5, 6):
            write(ring, picture(480, 270, value))

        assert large - empty > 3 * 3840 * 2160 * 4
        assert memory_of(shm_path) - empty < 3 * 480 * 270 * 4 + 64 * 1024
        assert reader.newest_frame(0).data == picture(480, 270, 6).tobytes()
        last = write(ring, picture(3840, 2160, 7))
        assert reader.newest_frame(0).sequence == last
        assert reader.newest_frame(0).data == picture(3840, 2160, 7).tobytes()
    ring.close()


@needs_holes
def test_large_pictures_that_nobody_looks_at_any_more_are_forgotten_and_usual_ones_are_kept(shm_path):
    ring = FrameRing.create(shm_path, camera_id="c")
    with contextlib.closing(RingReader.open(shm_path)) as reader:
        write(ring, picture(1920, 1080, 1))
        ring.forget_large()
        assert reader.newest_frame(0).width == 1920

        for value in (2, 3, 4):
            write(ring, picture(3840, 2160, value))
        held = reader.lend_newest(0)
        ring.forget_large()

        assert not held.is_intact()
        assert reader.newest_frame(0) is None
        assert memory_of(shm_path) < 1_000_000
        write(ring, picture(480, 270, 5))
        assert reader.newest_frame(0).data == picture(480, 270, 5).tobytes()
    ring.close()


@needs_holes
def test_memory_that_the_writer_before_held_for_large_pictures_is_given_back_with_the_first_small_ones(shm_path):
    first = FrameRing.create(shm_path, camera_id="c")
    for value in (1, 2, 3):
        write(first, picture(3840, 2160, value))
    first.close()

    with contextlib.closing(FrameRing.attach(shm_path)) as second:
        for value in (4, 5, 6):
            write(second, picture(480, 270, value))

    assert memory_of(shm_path) < 3 * 480 * 270 * 4 + 100_000


@needs_holes
def test_large_pictures_of_the_writer_before_are_forgotten_and_usual_ones_are_kept(shm_path):
    first = FrameRing.create(shm_path, camera_id="c")
    for value in (1, 2, 3):
        write(first, picture(3840, 2160, value))
    write(first, picture(1920, 1080, 4))
    first.close()

    with contextlib.closing(FrameRing.attach(shm_path)) as second:
        second.forget_large()

        with contextlib.closing(RingReader.open(shm_path)) as reader:
            assert reader.newest_frame(0).data == picture(1920, 1080, 4).tobytes()
            assert memory_of(shm_path) < 1920 * 1080 * 4 + 100_000
            write(second, picture(3840, 2160, 5))
            assert reader.newest_frame(0).data == picture(3840, 2160, 5).tobytes()


def test_something_that_is_no_bgra_picture_is_refused(ring):
    with pytest.raises(BadInputError, match="not BGRA"):
        write(ring, np.zeros((4, 4, 3), np.uint8))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(
            st.builds(
                TrackMark,
                track_id=st.integers(-(2**62), 2**62),
                label=st.sampled_from(["car", "bus", "truck", "vélo"]),
                score=st.floats(0, 1, width=32),
                bbox_xyxy=st.tuples(*[st.floats(0, 1, width=32)] * 4),
                velocity_xy=st.tuples(*[st.floats(-2, 2, width=32)] * 2),
            ),
            max_size=12,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_tracks_come_out_as_they_went_in(tmp_path_factory, sets):
    path = tmp_path_factory.mktemp("ring") / "c.ring"
    ring = FrameRing.create(path, camera_id="c", max_wh=(16, 16))
    reader = RingReader.open(path)
    for number, tracks in enumerate(sets):
        ring.write_tracks(number / 10, tracks, epoch=number)

    read = reader.tracks_after(0)

    assert [list(found.tracks) for found in read] == sets
    assert [(found.pts_s, found.epoch) for found in read] == [(number / 10, number) for number in range(len(sets))]
    ring.close()
    reader.close()


def test_tracks_come_as_arrays_and_who_is_seen_again_is_named_by_the_same_words(ring, reader):
    ring.write_tracks(1.0, [mark(2**40, "car"), mark(2, "bus")], epoch=3)
    ring.write_tracks(2.0, [mark(2**40, "car"), mark(2, "bus")], epoch=3)
    ring.write_tracks(3.0, [mark(2, "bus"), mark(2**40, "tram")], epoch=3)
    ring.write_tracks(4.0, [], epoch=3)

    first, second, other, none = reader.track_arrays_after(0)

    assert (first.pts_s, first.epoch, first.track_ids, first.labels) == (1.0, 3, (2**40, 2), ("car", "bus"))
    assert first.boxes.tolist() == [[0.25, 0.5, 0.75, 1.0]] * 2
    assert first.velocities.tolist() == [[-0.5, 2.0]] * 2
    assert second.track_ids is first.track_ids
    assert second.labels is first.labels
    assert (other.track_ids, other.labels) == ((2, 2**40), ("bus", "tram"))
    assert (none.track_ids, none.labels, none.boxes.shape, none.velocities.shape) == ((), (), (0, 4), (0, 2))


def test_tracks_that_were_overwritten_are_left_out_and_the_rest_stays_in_order(ring, reader):
    sequences = [ring.write_tracks(float(number), [mark(number)], epoch=1) for number in range(100)]

    found = reader.tracks_after(sequences[0])

    assert [tracks.pts_s for tracks in found] == [float(number) for number in range(36, 100)]
    assert reader.tracks_after(sequences[97])[0].tracks == (mark(98),)


def test_of_too_many_tracks_the_surest_are_kept(ring, reader):
    ring.write_tracks(0.0, [mark(number, score=number / 256) for number in range(200)], epoch=1)

    (found,) = reader.tracks_after(0)
    assert sorted(track.track_id for track in found.tracks) == list(range(200 - MAX_TRACKS, 200))


def test_labels_beyond_the_table_still_arrive_as_vehicles(ring, reader):
    for number in range(260):
        ring.write_tracks(0.0, [mark(number, label=f"kind {number}")], epoch=1)

    labels = [tracks.tracks[0].label for tracks in reader.tracks_after(0)]
    assert labels[-4:] == ["vehicle"] * 4
    assert labels[-5] == "kind 255"


def test_a_new_ring_goes_on_above_the_numbers_of_the_old_one(path):
    old = FrameRing.create(path, camera_id="c")
    last = write(old, picture(4, 4, 1))
    old.close()
    wait_until(lambda: time.time_ns() // 1_000_000 > last, what="the clock to pass the last number")

    new = FrameRing.create(path, camera_id="c")
    reader = RingReader.open(path)
    assert reader.newest_frame(last) is None
    assert write(new, picture(4, 4, 2)) > last
    assert reader.newest_frame(last).data[0] == 2
    new.close()
    reader.close()


def test_untouched_pages_cost_nothing(ring, path):
    write(ring, picture(480, 270, 1))

    assert path.stat().st_size > 24_000_000
    assert path.stat().st_blocks * 512 < 1_000_000


def test_the_second_writer_takes_over_and_the_first_is_told(ring, path, reader):
    write(ring, picture(4, 4, 1), epoch=7)
    second = FrameRing.attach(path)

    assert second.epoch == 7
    assert second.camera_id == "nord-müller/7"
    write(second, picture(4, 4, 2))
    with pytest.raises(UnavailableError, match="Another worker writes the pictures of camera nord-müller/7"):
        write(ring, picture(4, 4, 3))
    assert reader.newest_frame(0).data[0] == 2
    second.close()


def test_a_closed_ring_says_so(path):
    ring = FrameRing.create(path, camera_id="c")
    ring.close()
    ring.close()

    with pytest.raises(UnavailableError, match="closed"):
        ring.write_tracks(0.0, [], epoch=1)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\0" * 50_000, os.urandom(50_000)])
def test_a_file_that_is_no_ring_is_refused_with_its_name(path, content):
    path.write_bytes(content)

    with pytest.raises(BadInputError, match=r"camera\.ring"):
        RingReader.open(path)


def test_a_ring_cut_short_is_refused_instead_of_killing_the_reader(ring, path):
    with open(path, "r+b") as file:
        file.truncate(60_000)

    with pytest.raises(BadInputError, match="damaged"):
        RingReader.open(path)


def test_a_missing_ring_names_the_file_and_the_way_out(path):
    with pytest.raises(UnavailableError, match="is the node running") as caught:
        RingReader.open(path)
    assert str(path) in caught.value.message


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_a_full_memory_file_system_is_a_sentence_and_not_a_killed_process(ring, monkeypatch):
    def full(descriptor: int, at: int, n_bytes: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(UnavailableError, match="No memory is left") as caught:
        write(ring, picture(4, 4, 1))
    assert "/dev/shm" in caught.value.hint


class Overtaking:
    """Stands in for the reader's bytes: the writer goes once around just before they are copied."""

    def __init__(self, view: memoryview, overtake) -> None:
        self._view = view
        self._overtake = overtake

    def __getitem__(self, part: slice) -> memoryview:
        overtake, self._overtake = self._overtake, None
        if overtake is not None:
            overtake()
        return self._view[part]

    def release(self) -> None:
        self._view.release()


def test_a_picture_overwritten_while_it_is_read_is_read_again(ring, reader):
    def write_round(values: range) -> None:
        for value in values:
            write(ring, picture(8, 4, value), pts_s=float(value))

    write_round(range(3))
    mapping = reader._mapping
    mapping.bytes = Overtaking(mapping.bytes, lambda: write_round(range(3, 6)))

    frame = reader.newest_frame(0)

    assert (frame.pts_s, frame.data[0]) == (5.0, 5)
    assert reader.newest_frame(frame.sequence) is None


def test_tracks_overwritten_while_they_are_read_are_left_out(ring, reader):
    def write_round(first: int) -> None:
        for number in range(first, first + 64):
            ring.write_tracks(float(number), [mark(number)], epoch=1)

    write_round(0)
    after = reader.tracks_after(0)[-2].sequence
    mapping = reader._mapping
    mapping.bytes = Overtaking(mapping.bytes, lambda: write_round(64))

    assert reader.tracks_after(after) == []
    assert reader.tracks_after(after)[-1].tracks == (mark(127),)


def _checked(width: int, height: int, number: int) -> np.ndarray:
    """A picture of noise that carries the checksum of its own pixels."""
    pixels = np.random.default_rng(number).integers(0, 256, width * height * 4, np.uint8)
    pixels[:4] = np.frombuffer(zlib.crc32(pixels[4:].tobytes()).to_bytes(4, "little"), np.uint8)
    return pixels.reshape(height, width, 4)


def _hammer(path: str) -> None:
    ring = FrameRing.attach(Path(path))
    pictures = [_checked(*size, number) for number, size in enumerate([(640, 360), (320, 180), (64, 36), (960, 540)])]
    number = 0
    while True:
        bgra = pictures[number % len(pictures)]
        ring.write_frame(bgra, pts_s=float(number), received_s=float(number), captured_at_s=0.0, epoch=number)
        ring.write_tracks(float(number), [mark(number)] * (number % 30), epoch=number)
        number += 1


@pytest.fixture
def hammer(ring: FrameRing, path: Path):
    """A process that writes as fast as it can until it is killed."""
    processes = []

    def start() -> multiprocessing.Process:
        process = multiprocessing.get_context("spawn").Process(target=_hammer, args=(str(path),), daemon=True)
        process.start()
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.join(5)


def test_no_reader_ever_sees_half_a_picture_or_half_a_set_of_tracks(hammer, reader):
    hammer()
    wait_until(lambda: reader.newest_frame(0) is not None, what="the first picture")
    n_frames = n_sets = 0
    after = tracks_after = 0
    began_s = time.monotonic()
    # For two seconds; on a machine that is busy with other things until enough was seen.
    while (took_s := time.monotonic() - began_s) < 2.0 or (min(n_frames, n_sets) <= 10 and took_s < 60.0):
        frame = reader.newest_frame(after)
        if frame is not None:
            assert zlib.crc32(frame.data[4:]) == int.from_bytes(frame.data[:4], "little")
            assert frame.pts_s == frame.received_s == frame.epoch
            assert len(frame.data) == frame.width * frame.height * 4
            after, n_frames = frame.sequence, n_frames + 1
        for found in reader.tracks_after(tracks_after):
            number = found.epoch
            assert found.pts_s == number
            assert found.tracks == (mark(number),) * (number % 30)
            tracks_after, n_sets = found.sequence, n_sets + 1

    assert n_frames > 10
    assert n_sets > 10


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_writer_leaves_the_ring_readable_and_the_next_one_goes_on(hammer, reader):
    after = 0
    for _ in range(4):
        process = hammer()
        before = after
        wait_until(lambda seen=before: reader.newest_frame(seen) is not None, what="a picture of the new writer")
        os.kill(process.pid, signal.SIGKILL)
        process.join(5)
        frame = reader.newest_frame(0)
        # Killed in the middle of a picture, its slot is passed over until it is written again.
        if frame is not None:
            assert zlib.crc32(frame.data[4:]) == int.from_bytes(frame.data[:4], "little")
            after = frame.sequence
        reader.tracks_after(0)


def test_a_slot_left_half_written_is_used_again(ring, path, reader):
    write(ring, picture(4, 4, 1))
    write(ring, picture(4, 4, 2))
    # What a writer killed in the middle of the third picture leaves behind: an odd counter, the number not moved on.
    mapping = ring._mapping
    at = mapping.layout.frame_slot_at(mapping.words[_W_FRAME] + 1) // 8
    mapping.words[at] += 1
    assert reader.newest_frame(0).data[0] == 2

    successor = FrameRing.attach(path)
    write(successor, picture(4, 4, 3))

    assert reader.newest_frame(0).data[0] == 3
    successor.close()
