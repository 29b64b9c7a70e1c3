"""What saving a camera's settings makes of its alarms: who is still watched for stays, and nobody is taken for gone."""

import asyncio
from dataclasses import replace

import pytest

from core.cameras.model import Camera
from core.incidents.model import Quality
from core.incidents.rules.book import shipped_book
from core.incidents.tuning import AlarmTuning
from core.kernel.errors import BadInputError
from core.media.model import SourceSpec
from core.node.calls import Calls
from core.node.sight import Sight
from core.vision.model import UNREADABLE, CountLine, Lane, Observation, ObservationKind, Phase, RuleSetting, Scene, Zone
from tests.fixtures.room import Room, make_condition
from tests.unit.incidents.test_service import observe
from tests.unit.node.test_sight import Told

K = ObservationKind
LANE = Lane(
    key="l", name="Lane 1", polygon=((0.3, 0.2), (0.7, 0.2), (0.7, 1.0), (0.3, 1.0)), start=(0.5, 0.2), end=(0.5, 1)
)
STOP = Zone(
    key="z", name="Bus stop", polygon=((0.0, 0.0), (0.2, 0.0), (0.2, 0.2)), stopped_after_s=20.0, alarms_presence=True
)
LYING = RuleSetting(kind=K.OBJECT_LEFT.value, is_enabled=True)
SCENE = Scene(lanes=(LANE,), zones=(STOP,), rules=(LYING,))
CAMERA = Camera(camera_id="north", name="North", address="synthetic:a", scene=SCENE)
MOVED_POLYGON = ((0.3, 0.3), (0.7, 0.3), (0.7, 1.0), (0.3, 1.0))

HOLDS = (True, Quality.GOOD)
IN_DOUBT = (True, Quality.STALE)
OVER = (False, Quality.GOOD)


class Site:
    """One camera from its settings to its alarms, without a worker."""

    def __init__(self, room: Room, tmp_path) -> None:
        def spec_of(camera):
            if camera.address == "bad:":
                raise BadInputError("The address is no good.")
            return SourceSpec(address=camera.address)

        self.room = room
        room.incidents._by_rule = shipped_book().applied
        self.calls = Calls(
            room.incidents, folder="/data", find_camera=lambda _id: self.sight.camera("north"), find_device=None
        )
        self.sight = Sight(
            Told(),
            rings=tmp_path / "rings",
            clock=room.clock,
            spec_of=spec_of,
            on_stream=lambda _report: None,
            on_inside=lambda _camera_id, _inside: None,
            on_totals=lambda _camera_id, _totals: None,
            on_observed=self.calls.take_observed,
            on_lost=self.calls.take_camera_lost,
            on_back=self.calls.take_camera_back,
            on_rules_reset=self.calls.take_rules_reset,
            on_rules_begun_anew=self.calls.take_rules_begun_anew,
            on_scene_changed=self.calls.take_scene_changed,
        )
        self.save()

    def save(self, **changes) -> None:
        """Put the camera's settings in force and let everything be stored."""

        async def storing() -> None:
            working = asyncio.create_task(self.calls.work())
            self.sight.set_cameras((replace(CAMERA, **changes),))
            await self.calls.drain(timeout_s=5)
            working.cancel()

        self.room.run(storing())

    def see(self, kind: ObservationKind, rule_key: str, place: str = "", number: str = "1-1") -> None:
        key = f"{kind.value}:{place or rule_key}" + (f":{number}" if number else "")
        seen: Observation = replace(
            observe(self.room, kind=kind, phase=Phase.BEGIN, condition_key=key, camera_id="north", rule_key=rule_key),
            # Apart from each other, or they were one event.
            bbox_xyxy=(0.4, 0.4, 0.45, 0.45) if rule_key == "l" else (0.05, 0.9, 0.1, 0.95),
        )
        self.room.run(self.room.incidents.take_observation(seen, camera_name="North"))
        self.room.clock.advance(seconds=300)

    @property
    def alarms(self) -> dict[str, tuple[bool, Quality]]:
        return {one.kind: (one.is_active, one.quality) for one in self.room.run(self.room.incidents.open_alarms())}


@pytest.fixture
def site(room: Room, tmp_path) -> Site:
    return Site(room, tmp_path)


def lanes(**changes) -> Scene:
    return replace(SCENE, lanes=(replace(LANE, **changes),))


def zones(**changes) -> Scene:
    return replace(SCENE, zones=(replace(STOP, **changes),))


def off(kind: ObservationKind) -> Scene:
    return replace(SCENE, rules=(LYING, RuleSetting(kind=kind.value, is_enabled=False)))


LINE = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(zones(name="Bus stop north"), id="a zone is renamed"),
        pytest.param(lanes(name="Lane A"), id="its own lane is renamed"),
        pytest.param(zones(polygon=MOVED_POLYGON), id="another zone is redrawn"),
        pytest.param(replace(SCENE, zones=()), id="another zone is gone"),
        pytest.param(replace(SCENE, lines=(LINE,)), id="a line is added"),
        pytest.param(off(K.WRONG_WAY), id="another rule is off"),
        pytest.param(UNREADABLE, id="nobody can read what is drawn"),
    ],
)
def test_whoever_still_stands_when_a_scene_is_saved_is_in_doubt_and_not_gone(site, scene):
    site.see(K.STOPPED_VEHICLE, "l", "lane/l")
    site.see(K.OBJECT_LEFT, "l", "l")

    site.save(scene=scene)

    assert site.alarms == {"stopped_vehicle": IN_DOUBT, "object_left": IN_DOUBT}


def test_who_is_seen_again_after_a_scene_was_saved_is_the_same_alarm(site):
    site.see(K.STOPPED_VEHICLE, "l", "lane/l")
    (before,) = site.room.run(site.room.incidents.open_alarms())

    site.save(scene=zones(name="Bus stop north"))
    site.see(K.STOPPED_VEHICLE, "l", "lane/l", number="2-1")

    (after,) = site.room.run(site.room.incidents.open_alarms())
    assert (after.alarm_id, after.is_active, after.quality) == (before.alarm_id, True, Quality.GOOD)
    assert (after.title, after.priority, after.n_repeats) == (before.title, before.priority, before.n_repeats)


@pytest.mark.parametrize(
    ("kind", "rule_key", "scene"),
    [
        (K.STOPPED_VEHICLE, "l", lanes(polygon=MOVED_POLYGON)),
        (K.WRONG_WAY, "l", lanes(start=LANE.end, end=LANE.start)),
        (K.STOPPED_VEHICLE, "l", replace(SCENE, lanes=())),
        (K.STOPPED_VEHICLE, "l", off(K.STOPPED_VEHICLE)),
        (K.COLLISION, "camera", off(K.COLLISION)),
        (K.CAMERA_BLINDED, "camera", off(K.CAMERA_BLINDED)),
        (K.STOPPED_VEHICLE, "z", zones(stopped_after_s=None)),
        (K.VEHICLE_IN_ZONE, "z", zones(alarms_presence=False)),
        (K.VEHICLE_IN_ZONE, "z", replace(SCENE, zones=())),
        # Who draws elsewhere says that what the camera shows now is what its scene is drawn for.
        (K.CAMERA_MOVED, "camera", lanes(polygon=MOVED_POLYGON)),
    ],
)
def test_what_nobody_watches_for_any_more_is_over(site, kind, rule_key, scene):
    site.see(kind, rule_key)

    site.save(scene=scene)

    assert site.alarms.get(kind.value, OVER) == OVER


def test_what_was_in_doubt_already_is_over_once_its_lane_is_gone(site):
    site.see(K.STOPPED_VEHICLE, "l", "lane/l")
    site.save(scene=zones(name="Bus stop north"))

    site.save(scene=replace(SCENE, lanes=()))

    assert site.alarms == {"stopped_vehicle": OVER}


@pytest.mark.parametrize("kind", [K.CAMERA_MOVED, K.CAMERA_BLINDED, K.CAMERA_FROZEN, K.COLLISION])
def test_what_is_about_the_whole_picture_is_in_doubt_when_a_zone_is_renamed(site, kind):
    site.see(kind, "camera", number="")

    site.save(scene=zones(name="Bus stop north"))

    assert site.alarms == {kind.value: IN_DOUBT}


@pytest.mark.parametrize("change", [{"labels": ("car",)}, {"address": "bad:"}])
def test_other_classes_or_a_camera_that_cannot_be_read_end_nothing(site, change):
    site.see(K.STOPPED_VEHICLE, "l", "lane/l")

    site.save(**change)

    assert site.alarms == {"stopped_vehicle": IN_DOUBT}


def test_a_lane_that_is_removed_while_its_camera_cannot_be_read_ends_what_was_called_there(site):
    site.see(K.STOPPED_VEHICLE, "l", "lane/l")
    site.save(address="bad:")

    site.save(address="bad:", scene=replace(SCENE, lanes=()))

    assert site.alarms == {"stopped_vehicle": OVER}


def test_a_scene_that_can_be_read_again_ends_nothing(site):
    site.save(scene=UNREADABLE)
    site.see(K.STOPPED_VEHICLE, "l", "lane/l")
    site.see(K.CAMERA_MOVED, "camera", number="")

    site.save()

    assert site.alarms == {"stopped_vehicle": IN_DOUBT, "camera_moved": IN_DOUBT}


def test_what_something_else_says_of_the_camera_is_not_doubted_with_its_scene(site):
    seen = make_condition(condition_key="camera/north/frigate:yard:person", kind="frigate_object", source_id="north")
    site.calls.know(site.room.run(site.room.incidents.raise_condition(seen)))

    site.save(scene=zones(name="Bus stop north"))

    assert site.alarms == {"frigate_object": HOLDS}


@pytest.fixture
def slow_site(site) -> Site:
    """A site whose operator is told of stopped vehicles only a while after they were seen."""
    site.room.incidents._by_rule = lambda condition: condition
    site.room.tunings.replace({"stopped_vehicle": AlarmTuning(on_delay_s=60)})
    return site


@pytest.mark.parametrize(
    ("scene", "alarms"),
    [
        (zones(name="Bus stop north"), {"stopped_vehicle": IN_DOUBT}),
        (replace(SCENE, lanes=()), {}),
    ],
)
def test_what_waits_to_call_when_a_scene_is_saved_calls_in_doubt_and_only_where_it_is_watched_for(
    slow_site, scene, alarms
):
    slow_site.see(K.STOPPED_VEHICLE, "l", "lane/l")

    slow_site.save(scene=scene)
    slow_site.room.pass_time(0)

    assert slow_site.alarms == alarms


def test_what_is_said_again_while_it_waits_to_call_is_not_in_doubt(slow_site):
    slow_site.see(K.STOPPED_VEHICLE, "l", "lane/l", number="")

    slow_site.save(scene=zones(name="Bus stop north"))
    slow_site.see(K.STOPPED_VEHICLE, "l", "lane/l", number="")
    slow_site.room.pass_time(0)

    assert slow_site.alarms == {"stopped_vehicle": HOLDS}
