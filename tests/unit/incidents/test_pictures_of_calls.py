"""An incident keeps the picture of every call that joins it, and shows the one that matters most."""

import pytest

from core.incidents.dispatch import DispatchService
from core.incidents.model import Alarm, Snapshot
from core.incidents.review import ReviewFilter, ReviewService
from core.kernel.errors import BadInputError
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.room import OLGA, Room
from tests.unit.incidents.test_same_event import sighting
from tests.unit.incidents.test_same_event import take as take_without

K = ObservationKind


def take(room: Room, observation: Observation, picture: bytes) -> Alarm:
    return take_without(room, observation, snapshot=Snapshot(jpeg=picture, captured_at=room.clock.now()))


def pictures(room: Room, alarm: Alarm) -> list[bytes]:
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    detail = room.run(dispatch.detail(alarm.incident_id))
    return [room.run(room.incidents.snapshot_bytes(picture_id)) for picture_id in detail.pictures]


def n_files(room: Room) -> int:
    return len(list((room.folder / "evidence").rglob("*.jpg")))


@pytest.mark.parametrize(("before", "after_s"), [(K.WRONG_WAY, 40), (K.STOPPED_VEHICLE, 1800)])
def test_a_crash_that_joins_an_incident_is_what_it_shows_and_what_was_before_stays(
    room: Room, before: ObservationKind, after_s: float
) -> None:
    take(room, sighting(room, before), b"BEFORE")
    room.clock.advance(seconds=after_s)

    crash = take(room, sighting(room, K.COLLISION), b"THE CRASH")

    assert room.run(room.incidents.snapshot_bytes(crash.incident_id)) == b"THE CRASH"
    assert pictures(room, crash) == [b"THE CRASH", b"BEFORE"]
    assert n_files(room) == 2


def test_what_is_less_urgent_is_kept_beside_what_is_shown(room: Room) -> None:
    crash = take(room, sighting(room, K.COLLISION), b"THE CRASH")
    take(room, sighting(room, K.COLLISION, Phase.END), b"")

    stands = take(room, sighting(room, K.STOPPED_VEHICLE), b"WHO STANDS")

    assert stands.incident_id == crash.incident_id
    assert pictures(room, crash) == [b"THE CRASH", b"WHO STANDS"]


def test_what_calls_nobody_leaves_no_picture(room: Room) -> None:
    crash = take(room, sighting(room, K.COLLISION), b"THE CRASH")

    take(room, sighting(room, K.CONGESTION), b"THE JAM")

    assert pictures(room, crash) == [b"THE CRASH"]
    assert n_files(room) == 1


def test_what_comes_back_of_the_same_occurrence_leaves_no_picture(room: Room) -> None:
    jam = take(room, sighting(room, K.CONGESTION), b"THE JAM")
    take(room, sighting(room, K.CONGESTION, Phase.END), b"")

    take(room, sighting(room, K.CONGESTION), b"THE JAM AGAIN")

    assert pictures(room, jam) == [b"THE JAM"]
    assert n_files(room) == 1


@pytest.mark.parametrize("kind", [K.COLLISION, K.STOPPED_VEHICLE])
def test_a_try_after_the_stored_one_leaves_every_picture_alone(room: Room, kind: ObservationKind) -> None:
    first = take(room, sighting(room, K.COLLISION), b"THE CRASH")
    take(room, sighting(room, K.COLLISION, Phase.END), b"")
    second = sighting(room, kind, condition_key=f"{kind.value}:2")
    take(room, second, b"SECOND")

    take(room, second, b"SECOND")

    assert sorted(pictures(room, first)) == [b"SECOND", b"THE CRASH"]
    assert n_files(room) == 2


def test_a_picture_that_is_not_there_is_a_sentence(room: Room) -> None:
    with pytest.raises(BadInputError, match="no such incident"):
        room.run(room.incidents.snapshot_bytes("nothing"))


def picture_calls(room: Room, alarm: Alarm) -> list[tuple[str, str]]:
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    detail = room.run(dispatch.detail(alarm.incident_id))
    assert len(detail.picture_calls) == len(detail.pictures)
    return [(call.kind, call.occurrence) for call in detail.picture_calls if call is not None]


def picture_to_review(room: Room, alarm: Alarm) -> bytes:
    (item,) = room.run(ReviewService(room.store, room.bus, room.clock).page(OLGA, ReviewFilter())).items
    assert item.incident.incident_id == alarm.incident_id
    return room.run(room.incidents.snapshot_bytes(item.picture_id)) if item.picture_id else b""


def test_each_picture_says_which_call_it_shows(room: Room) -> None:
    first = take(room, sighting(room, K.WRONG_WAY), b"BEFORE")
    room.clock.advance(seconds=40)

    crash = take(room, sighting(room, K.COLLISION), b"THE CRASH")

    assert picture_calls(room, crash) == [("collision", crash.occurrence), ("wrong_way", first.occurrence)]


def test_a_call_without_a_picture_is_not_reviewed_by_the_picture_of_the_former_one(room: Room) -> None:
    take(room, sighting(room, K.STOPPED_VEHICLE), b"BEFORE")
    room.clock.advance(seconds=40)

    crash = take_without(room, sighting(room, K.COLLISION))

    assert pictures(room, crash) == [b"BEFORE"]
    assert picture_to_review(room, crash) == b""


def test_what_is_reviewed_is_shown_by_its_own_call_where_another_one_came_after_it(room: Room) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE), b"WHO STANDS")
    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END), b"")

    lost = take(room, sighting(room, K.OBJECT_LEFT), b"WHAT IT LOST")

    assert lost.priority == stands.priority
    assert pictures(room, stands) == [b"WHAT IT LOST", b"WHO STANDS"]
    assert picture_to_review(room, stands) == b"WHO STANDS"


def test_a_picture_whose_file_is_gone_says_so(room: Room) -> None:
    crash = take(room, sighting(room, K.COLLISION), b"THE CRASH")
    for file in (room.folder / "evidence").rglob("*.jpg"):
        file.unlink()

    with pytest.raises(BadInputError, match="is not there any more"):
        room.run(room.incidents.snapshot_bytes(crash.incident_id))
