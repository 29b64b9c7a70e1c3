"""Ten seconds before and after an alarm: kept as a film with its hash, given back as it was."""

import numpy as np
import pytest
from av import VideoFrame

from core.incidents.clips import ClipStore, from_film, missing_of, to_film
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


def test_a_clip_is_kept_once_for_a_camera_and_told_by_seconds_before_and_after(room, clips, alarm):
    at = alarm.raised_at
    room.run(clips.keep(alarm.incident_id, "ring-north", at=at, pictures=pictures_around(at)))
    room.run(clips.keep(alarm.incident_id, "ring-north", at=at, pictures=pictures_around(at, grey=200)))

    clip = room.run(clips.load(alarm.incident_id, "ring-north"))

    assert clip.camera_id == "ring-north"
    assert [picture.offset_s for picture in clip.pictures] == pytest.approx([-9.5, -0.25, 4.0], abs=0.002)
    assert clip.pictures[1].jpeg == picture(101)


def test_every_camera_of_an_incident_has_a_film_of_its_own_the_best_first(room, clips, alarm):
    at = alarm.raised_at
    cameras = [("ring-north", "Ring North"), ("ring/south", "Ring South"), ("ring_south", "The other one")]
    room.run(clips.expect(alarm.incident_id, cameras, at=at))
    for number, (camera_id, _) in reversed(list(enumerate(cameras))):
        room.run(clips.keep(alarm.incident_id, camera_id, at=at, pictures=pictures_around(at, grey=50 * number)))

    infos = room.run(clips.clips_of(alarm.incident_id))
    films = [room.run(clips.load(alarm.incident_id, info.camera_id)) for info in infos]

    assert [(info.camera_name, info.n_pictures) for info in infos] == [(name, 3) for _, name in cameras]
    assert [film.pictures[0].jpeg for film in films] == [picture(0), picture(50), picture(100)]


def test_what_is_missing_is_written_beside_what_is_there(room, clips, alarm):
    at = alarm.raised_at
    cameras = [("north", "North"), ("south", "South"), ("west", "West")]
    room.run(clips.expect(alarm.incident_id, cameras, at=at))
    room.run(clips.keep(alarm.incident_id, "north", at=at, pictures=pictures_around(at)))
    room.run(clips.lose(alarm.incident_id, "south", "It did not answer in time."))
    room.run(clips.lose(alarm.incident_id, "north", "Too late."))

    infos = {info.camera_id: info for info in room.run(clips.clips_of(alarm.incident_id))}

    assert (
        infos["north"].missing
        == "No picture came from -9.5 s to -0.2 s and from -0.2 s to +4.0 s and from +4.0 s to +10.0 s."
    )
    assert (infos["south"].n_pictures, infos["south"].missing) == (0, "It did not answer in time.")
    assert infos["west"].is_being_taken
    assert room.run(clips.load(alarm.incident_id, "south")) is None


def test_a_clip_that_a_node_was_taking_when_it_ended_says_so(room, clips, alarm):
    room.run(clips.expect(alarm.incident_id, [("north", "North")], at=alarm.raised_at))
    room.restart()
    later = ClipStore(room.store, evidence=room.folder / "evidence")

    room.run(later.start())

    (info,) = room.run(later.clips_of(alarm.incident_id))
    assert (info.missing, info.is_being_taken) == ("The node ended while it was taken.", False)


@pytest.mark.parametrize(
    ("offsets_s", "missing"),
    [
        ([offset_s / 2 for offset_s in range(-20, 21)], ""),
        (range(-10, 11, 2), ""),
        (range(-2, 11), "No picture came from -10.0 s to -2.0 s."),
        ([*range(-10, -3), *range(4, 11)], "No picture came from -4.0 s to +4.0 s."),
        ([], "No picture came from -10.0 s to +10.0 s."),
    ],
)
def test_only_what_lies_further_apart_than_a_resting_camera_keeps_is_missing(offsets_s, missing):
    assert missing_of(offsets_s) == missing


def test_an_incident_without_a_clip_has_none(room, clips, alarm):
    assert room.run(clips.load(alarm.incident_id, "ring-north")) is None
    assert room.run(clips.clips_of(alarm.incident_id)) == ()


def test_a_film_that_somebody_changed_proves_nothing(room, clips, alarm):
    at = alarm.raised_at
    room.run(clips.keep(alarm.incident_id, "ring-north", at=at, pictures=pictures_around(at)))
    film = next((room.folder / "evidence").rglob("*.mkv"))
    film.write_bytes(film.read_bytes()[:-1] + b"x")

    with pytest.raises(BadInputError, match="not the one that was stored"):
        room.run(clips.load(alarm.incident_id, "ring-north"))


def test_what_is_no_film_is_said():
    with pytest.raises(BadInputError):
        from_film(b"nothing")
    with pytest.raises(BadInputError):
        to_film([])
