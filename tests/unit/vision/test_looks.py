import numpy as np
import pytest

from core.kernel.errors import BadInputError, UnavailableError
from core.vision.looks import N_SLOTS, LookReader, LookWriter

WH = (64, 32)


def picture(level: int) -> np.ndarray:
    return np.full((WH[1], WH[0], 3), level, np.uint8)


@pytest.fixture
def writer(tmp_path):
    writer = LookWriter(tmp_path, "north", WH)
    yield writer
    writer.close()


def test_what_is_written_is_read_whole(writer):
    sequence = writer.write([picture(7), picture(9)])

    pictures = LookReader(writer.path).read(sequence)

    assert pictures.shape == (2, 32, 64, 3)
    assert (pictures[0] == 7).all()
    assert (pictures[1] == 9).all()


def test_an_overwritten_look_is_none(writer):
    reader = LookReader(writer.path)
    first = writer.write([picture(1)])
    for level in range(N_SLOTS):
        writer.write([picture(level)])

    assert reader.read(first) is None


def test_a_half_written_look_is_none(writer):
    reader = LookReader(writer.path)
    sequence = writer.write([picture(1)])
    slot = (4096 + sequence % N_SLOTS * ((len(writer._bytes) - 4096) // N_SLOTS)) // 8
    writer._words[slot] += 1  # As a worker leaves it that is killed here.

    assert reader.read(sequence) is None


def test_a_reader_keeps_what_it_mapped_after_the_worker_is_gone(writer):
    reader = LookReader(writer.path)
    sequence = writer.write([picture(5)])
    writer.close()

    assert (reader.read(sequence) == 5).all()


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(bytes(8192))

    with pytest.raises(BadInputError, match="holds no pictures"):
        LookReader(tmp_path / "x")
    with pytest.raises(UnavailableError, match="cannot be opened"):
        LookReader(tmp_path / "gone")


def test_a_new_file_takes_the_place_of_what_a_killed_worker_left_of_this_camera_only(tmp_path):
    for name in ("north.77-1.looks", "north.77-12.looks", "north.2.77-1.looks", "south.77-1.looks"):
        (tmp_path / name).write_bytes(b"")

    writer = LookWriter(tmp_path, "north", WH)

    left = {path.name for path in tmp_path.glob("*.looks")} - {writer.path.name}
    writer.close()
    assert left == {"north.2.77-1.looks", "south.77-1.looks"}
