"""Ten seconds before and after an alarm: kept as a film with its hash, given back as it was."""

import numpy as np
import pytest
from av import VideoFrame

from core.incidents.clips import ClipStore, from_film, to_film
from core.kernel.errors import BadInputError
from core.media.convert import to_jpeg
from tests.fixtures.room import make_condition


def picture(grey):
    return to_jpeg(VideoFrame.from_ndarray(np.full((90, 160, 3), grey, np.uint8), format="rgb24"), (160, 90))


def pictures_around(at, grey=100):
    return [(at.timestamp() + offset_s, picture(grey + number)) for number, offset_s in enumerate((-9.5, -0.25, 4.0))]


@pytest.fixture
def clips(room):
    return ClipStore(room.store, evidence=room.folder / "evidence")


@pytest.fixture
def alarm(room):
    return room.run(room.incidents.raise_condition(make_condition()))


def test_a_film_gives_the_very_pictures_back_with_their_times():
    kept = [(1000.0, picture(10)), (1000.5, picture(20)), (1003.25, picture(30))]

    assert from_film(to_film(kept)) == [(0.0, kept[0][1]), (0.5, kept[1][1]), (3.25, kept[2][1])]


def test_a_camera_that_sets_its_clock_back_loses_no_picture():
    kept = [(1000.0, picture(10)), (990.0, picture(20)), (990.5, picture(30))]

    assert [jpeg for _, jpeg in from_film(to_film(kept))] == [jpeg for _, jpeg in kept]


def test_a_clip_is_kept_once_for_an_incident_and_told_by_seconds_before_and_after(room, clips, alarm):
    at = alarm.raised_at
    room.run(clips.keep(alarm.incident_id, "ring-north", at=at, pictures=pictures_around(at)))
    room.run(clips.keep(alarm.incident_id, "ring-south", at=at, pictures=pictures_around(at, grey=200)))

    clip = room.run(clips.load(alarm.incident_id))

    assert clip.camera_id == "ring-north"
    assert [picture.offset_s for picture in clip.pictures] == pytest.approx([-9.5, -0.25, 4.0], abs=0.002)
    assert clip.pictures[1].jpeg == picture(101)


def test_an_incident_without_a_clip_has_none(room, clips, alarm):
    assert room.run(clips.load(alarm.incident_id)) is None


def test_a_film_that_somebody_changed_proves_nothing(room, clips, alarm):
    at = alarm.raised_at
    room.run(clips.keep(alarm.incident_id, "ring-north", at=at, pictures=pictures_around(at)))
    film = next((room.folder / "evidence").rglob("*.mkv"))
    film.write_bytes(film.read_bytes()[:-1] + b"x")

    with pytest.raises(BadInputError, match="not the one that was stored"):
        room.run(clips.load(alarm.incident_id))


def test_what_is_no_film_is_said():
    with pytest.raises(BadInputError):
        from_film(b"nothing")
    with pytest.raises(BadInputError):
        to_film([])
