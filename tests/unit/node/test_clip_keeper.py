"""Which cameras are asked around an alarm, and what becomes of those that do not answer."""

import asyncio
import errno

import pytest

from core.cameras.model import Camera
from core.incidents.clips import ClipStore
from core.incidents.model import AlarmChanged, IncidentChanged, SourceKind
from core.incidents.tuning import AlarmTuning
from core.kernel.errors import UnavailableError
from core.kernel.geo import GeoPoint
from core.node.clips import MOST_CAMERAS, MOST_TOGETHER, ClipKeeper
from core.vision.messages import ClipKept
from core.vision.model import ObservationKind
from tests.fixtures.room import make_condition
from tests.unit.incidents.test_clips import picture
from tests.unit.incidents.test_same_event import sighting

HERE = GeoPoint(52.0, 13.0)
STEP_DEG = 0.001
"""About 111 m."""


def camera(number, **changes):
    position = GeoPoint(HERE.lat_deg + number * STEP_DEG, HERE.lon_deg)
    return Camera(
        camera_id=f"c{number}", name=f"Camera {number}", address="webcam:0", **{"position": position, **changes}
    )


class Watched:
    """A keeper on real parts, with cameras that answer as a test wants."""

    def __init__(self, room, cameras, *, give_up_s=5.0):
        self.room = room
        self.store = ClipStore(room.store, evidence=room.folder / "evidence")
        self.asked, self.asked_of = [], []
        self.tasks = []
        self.keeper = ClipKeeper(
            self.store,
            cameras=lambda: cameras,
            ask=self._ask,
            clock=room.clock,
            tunings=room.tunings,
            spawn=lambda work: self.tasks.append(asyncio.get_running_loop().create_task(work)),
            why_dark=lambda camera_id: "The camera is lost since 09:03." if camera_id == "c1" else "",
            give_up_s=give_up_s,
        )
        # As in a node.
        room.bus.subscribe(IncidentChanged, lambda event: self.keeper.take_incident(event.incident))

    def _ask(self, camera_id, clip_id, at):
        self.asked.append((camera_id, clip_id))
        self.asked_of.append(at)

    async def alarm(self, number=0, **changes):
        condition = {
            "condition_key": f"device/post/{number}/value",
            "kind": "device_value",
            "source_kind": SourceKind.DEVICE,
            "source_id": f"post/{number}",
            "position": HERE,
            **changes,
        }
        return await self.room.incidents.raise_condition(make_condition(**condition))

    def answer(self, alarm, camera_id, *offsets_s):
        at_s = alarm.raised_at.timestamp()
        pictures = tuple((at_s + offset_s, picture(100)) for offset_s in offsets_s)
        self.keeper.take_clip(ClipKept(camera_id=camera_id, clip_id=alarm.occurrence, pictures=pictures))

    async def kept(self, alarm):
        await asyncio.gather(*self.tasks)
        return {info.camera_id: info for info in await self.store.clips_of(alarm.incident_id)}


DARK = "The camera is lost since 09:03."
WHOLE = tuple(range(-10, 11, 2))


def test_the_cameras_around_an_alarm_are_asked_once_the_nearest_first(room):
    cameras = [camera(number) for number in (9, 3, 1, 2, 4, 5)]
    cameras.append(camera(0, is_enabled=False))
    watched = Watched(room, cameras)

    async def run():
        alarm = await watched.alarm()
        for _ in range(2):
            watched.keeper.take_alarm(alarm)
        for camera_id, _ in watched.asked:
            watched.answer(alarm, camera_id, *WHOLE)
        return await watched.kept(alarm)

    kept = room.run(run())

    assert [camera_id for camera_id, _ in watched.asked] == ["c1", "c2", "c3", "c4"]
    assert len(kept) == MOST_CAMERAS
    assert list(kept) == ["c1", "c2", "c3", "c4"]
    assert all(info.n_pictures == len(WHOLE) and not info.missing for info in kept.values())


def test_the_camera_that_an_alarm_comes_from_is_the_first_although_others_are_nearer(room):
    watched = Watched(room, [camera(0), camera(3)])

    async def run():
        alarm = await watched.alarm(source_kind=SourceKind.CAMERA, source_id="c3")
        watched.keeper.take_alarm(alarm)
        for camera_id in ("c0", "c3"):
            watched.answer(alarm, camera_id, *WHOLE)
        return list(await watched.kept(alarm))

    assert room.run(run()) == ["c3", "c0"]


def test_cameras_that_do_not_answer_or_have_nothing_are_named_with_the_reason(room):
    watched = Watched(room, [camera(1), camera(2), camera(3)], give_up_s=0.05)

    async def run():
        alarm = await watched.alarm()
        watched.keeper.take_alarm(alarm)
        watched.answer(alarm, "c2")
        watched.answer(alarm, "c3", *range(-10, 3))
        return await watched.kept(alarm)

    kept = room.run(run())

    assert kept["c1"].missing == "It did not answer in time. The camera is lost since 09:03."
    assert "gave no picture" in kept["c2"].missing
    assert (kept["c3"].n_pictures, kept["c3"].missing) == (13, "No picture came from +2.0 s to +10.0 s.")


def test_a_full_disk_costs_the_film_and_not_the_word_that_it_is_missing(room, monkeypatch):
    watched = Watched(room, [camera(1)])

    def refuse(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def run():
        alarm = await watched.alarm()
        watched.keeper.take_alarm(alarm)
        monkeypatch.setattr("core.incidents.evidence.os.fsync", refuse)
        watched.answer(alarm, "c1", *WHOLE)
        kept = await watched.kept(alarm)
        monkeypatch.undo()
        return kept

    kept = room.run(run())

    assert kept["c1"].n_pictures == 0
    assert "No space left on device" in kept["c1"].missing
    assert not list((room.folder / "evidence").rglob("*-clip*")), "no half of a film is left behind"


def test_a_database_that_is_away_costs_the_clip_and_nothing_else(room, monkeypatch):
    watched = Watched(room, [camera(1)])

    async def refuse(_run):
        raise UnavailableError("The database is away.")

    async def run():
        alarm = await watched.alarm()
        monkeypatch.setattr(room.store, "write", refuse)
        watched.keeper.take_alarm(alarm)
        watched.answer(alarm, "c1", *WHOLE)
        return await watched.kept(alarm)

    assert room.run(run()) == {}


def test_of_a_burst_the_first_incidents_have_clips_and_the_others_say_that_they_have_none(room):
    watched = Watched(room, [camera(1)], give_up_s=0.1)

    async def run():
        alarms = [await watched.alarm(number) for number in range(MOST_TOGETHER + 1)]
        for alarm in alarms:
            watched.keeper.take_alarm(alarm)
        return (await watched.kept(alarms[-1]))["c1"]

    last = room.run(run())

    assert len(watched.asked) == MOST_TOGETHER
    assert last.missing.startswith("More than 16 alarms called at once")


@pytest.mark.parametrize("changes", [{"position": None}, {"position": GeoPoint(53.0, 13.0)}])
def test_an_alarm_that_no_camera_sees_asks_nobody(room, changes):
    watched = Watched(room, [camera(1)])

    async def run():
        watched.keeper.take_alarm(await watched.alarm(**changes))

    room.run(run())

    assert (watched.asked, watched.tasks) == ([], [])


def test_a_call_that_waited_for_the_database_has_no_film_of_another_time(room):
    watched = Watched(room, [camera(1)])
    happened_at = room.clock.now()
    room.clock.advance(seconds=600)

    async def run():
        alarm = await watched.alarm(began_at=happened_at)
        watched.keeper.take_alarm(alarm)
        watched.answer(alarm, "c1")
        return (await watched.kept(alarm))["c1"]

    kept = room.run(run())

    assert watched.asked_of == [happened_at]
    assert kept.n_pictures == 0
    assert kept.missing == "The call came 600 s after what it is about: nothing is kept of that time any more. " + DARK


def test_what_is_left_of_the_time_of_a_late_call_is_kept_and_the_rest_is_named(room):
    watched = Watched(room, [camera(2)])
    happened_at = room.clock.now()
    room.clock.advance(seconds=12)

    async def run():
        alarm = await watched.alarm(began_at=happened_at)
        watched.keeper.take_alarm(alarm)
        # Of fifteen seconds before the call.
        watched.answer(alarm, "c2", *range(-15, -1))
        return (await watched.kept(alarm))["c2"]

    kept = room.run(run())

    assert watched.asked_of == [happened_at]
    assert kept.missing == "No picture came from -10.0 s to -3.0 s."


def test_what_comes_back_has_a_film_of_when_it_called(room):
    watched = Watched(room, [camera(1)])

    async def run():
        first = await watched.alarm()
        watched.keeper.take_incident((await room.incidents.recent_incidents())[0])
        await room.incidents.return_condition(first.condition_key)
        room.clock.advance(seconds=600)
        again = await watched.alarm()
        watched.keeper.take_alarm(again)
        watched.answer(again, "c1", *WHOLE)
        kept = await watched.kept(again)
        return again, kept["c1"]

    again, kept = room.run(run())

    assert again.n_repeats == 1
    assert watched.asked_of == [again.raised_at]
    assert kept.missing == ""


def test_what_waited_by_its_rule_has_a_film_of_when_it_called(room):
    room.tunings.replace({"device_value": AlarmTuning(on_delay_s=60.0)})
    watched = Watched(room, [camera(1)])

    async def run():
        assert await watched.alarm(began_at=room.clock.now()) is None
        room.clock.advance(seconds=61)
        await room.incidents.tick()
        (alarm,) = await room.incidents.open_alarms()
        watched.keeper.take_alarm(alarm)
        watched.answer(alarm, "c1", *WHOLE)
        return alarm, (await watched.kept(alarm))["c1"]

    alarm, kept = room.run(run())

    assert watched.asked_of == [alarm.raised_at]
    assert kept.missing == ""


def test_a_call_that_joins_an_incident_has_a_film_of_its_own_beside_the_first(room):
    watched = Watched(room, [camera(0)])
    room.bus.subscribe(AlarmChanged, lambda event: watched.keeper.take_alarm(event.alarm))

    async def call(kind):
        alarm = await room.incidents.take_observation(sighting(room, kind, camera_id="c0"), camera_name="Camera 0")
        watched.answer(alarm, "c0", *WHOLE)
        await asyncio.gather(*watched.tasks)
        return alarm

    async def run():
        ghost = await call(ObservationKind.WRONG_WAY)
        room.clock.advance(seconds=40)
        crash = await call(ObservationKind.COLLISION)
        infos = await watched.store.clips_of(crash.incident_id)
        films = [await watched.store.load(info.incident_id, info.camera_id, info.occurrence) for info in infos]
        return ghost, crash, films

    ghost, crash, films = room.run(run())

    assert ghost.incident_id == crash.incident_id
    assert [(film.occurrence, film.at, len(film.pictures)) for film in films] == [
        (crash.occurrence, crash.raised_at, len(WHOLE)),
        (ghost.occurrence, ghost.raised_at, len(WHOLE)),
    ]
    assert len(list((room.folder / "evidence").rglob("*.mkv"))) == 2
