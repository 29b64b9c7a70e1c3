"""What other systems read of our cameras on the broker."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.cameras.model import Camera
from core.field.kinds.station import TrafficFlowObserved
from core.field.payloads import Birth, Envelope, check, decode, read, write
from core.field.topics import build, is_slug, parse
from core.kernel.geo import GeoPoint
from core.node.camera_flow import CameraFlow, slug, streams_of
from core.vision.flow import FlowMinute
from core.vision.model import CountLine, Lane, Scene, Zone

MINUTE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOW = MINUTE + timedelta(seconds=66)
BOX = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
SCENE = Scene(
    lanes=(
        Lane(key="left", name="Left", polygon=BOX, start=(0.5, 0.1), end=(0.5, 0.9)),
        Lane(key="right", name="Right", polygon=BOX, start=(0.5, 0.1), end=(0.5, 0.9)),
    ),
    lines=(
        CountLine(key="gate", name="Gate", start=(0, 0.5), end=(1, 0.5), forward_name="in", backward_name="To town"),
    ),
)
CAMERA = Camera(
    camera_id="01JD0000000000000000000001",
    name="Bridge",
    address="rtsp://camera/1",
    position=GeoPoint(23.8, 90.4),
    scene=SCENE,
)
MIX = {"bus": 2, "car": 5}
HEAD = "watchfloor/v1/city/camera/01jd0000000000000000000001"


class Broker:
    """Keeps what is retained, and everything that was said."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.n_said = 0
        self.is_up = True
        self.heard: list[tuple[str, dict[str, object]]] = []

    def publish(self, topic, payload) -> None:
        name = build(topic)
        assert parse(name) == topic
        self.n_said += 1
        self.retained.pop(name, None)
        if payload is not None:
            self.heard.append((name, decode(write(payload))))
            self.retained[name] = write(payload)


def start(camera: Camera = CAMERA) -> tuple[Broker, CameraFlow]:
    broker = Broker()
    flow = CameraFlow(tenant="city", boot="boot-1", publish=broker.publish, is_connected=lambda: broker.is_up)
    flow.set_cameras([camera], NOW)
    return broker, flow


def lane(key: str = "right", **figures: object) -> FlowMinute:
    return FlowMinute(camera_id=CAMERA.camera_id, subject="lane", key=key, minute=MINUTE, **figures)


def test_a_camera_introduces_itself_like_any_device():
    broker, _ = start()

    birth = read(broker.retained[f"{HEAD}/birth"], Birth)

    assert (birth.name, birth.location.lat) == ("Bridge", 23.8)
    assert [stream.name for stream in birth.streams][:3] == ["lane-left", "lane-right", "line-gate-in"]
    assert {stream.smart_data_model for stream in birth.streams} == {"TrafficFlowObserved"}
    assert f"{HEAD}/status" in broker.retained


def test_a_minute_stands_on_the_broker_as_a_traffic_station_would_say_it():
    broker, flow = start()

    flow.tell([lane(n_vehicles=12, speed_kmh=48.5, speed_error_kmh=1.2, occupancy=0.11, queue_m=0.0)], NOW)

    envelope = read(broker.retained[f"{HEAD}/state/lane-right"], Envelope)
    assert (envelope.type, envelope.q, envelope.hist) == ("TrafficFlowObserved", "good", False)
    assert envelope.ts == MINUTE + timedelta(minutes=1)
    observed = check(dict(envelope.data), TrafficFlowObserved)
    assert observed.values() == {"intensity": 12, "averageVehicleSpeed": 48.5, "occupancy": 0.11, "laneId": 2}
    assert "density" not in envelope.data


def test_a_minute_seen_in_part_is_uncertain_and_says_how_long():
    broker, flow = start()

    flow.tell([lane(n_vehicles=3, observed_s=21.0)], NOW)

    envelope = read(broker.retained[f"{HEAD}/state/lane-right"], Envelope)
    assert (envelope.q, envelope.data["observedSeconds"]) == ("uncertain", 21.0)


def test_an_older_minute_never_replaces_a_newer_one():
    broker, flow = start()
    flow.tell([replace(lane(n_vehicles=9), minute=MINUTE + timedelta(minutes=1))], NOW + timedelta(minutes=1))

    flow.tell([lane(n_vehicles=3)], NOW + timedelta(minutes=1))

    assert decode(broker.retained[f"{HEAD}/state/lane-right"])["data"]["intensity"] == 9


def test_a_minute_that_waited_for_the_database_is_history():
    broker, flow = start()

    flow.tell([lane(n_vehicles=3)], NOW + timedelta(minutes=5))

    assert read(broker.retained[f"{HEAD}/state/lane-right"], Envelope).hist


def test_lines_speak_by_direction_and_say_which_classes_came():
    broker, flow = start()
    line = FlowMinute(camera_id=CAMERA.camera_id, subject="line", key="gate", minute=MINUTE, direction="in")

    flow.tell([replace(line, n_vehicles=7), *(replace(line, n_vehicles=n, label=what) for what, n in MIX.items())], NOW)

    data = decode(broker.retained[f"{HEAD}/state/line-gate-in"])["data"]
    assert (data["intensity"], data["intensityByVehicleType"]) == (7, MIX)


def test_people_over_a_line_are_no_vehicles_on_the_broker():
    broker, flow = start()
    line = FlowMinute(camera_id=CAMERA.camera_id, subject="line", key="gate", minute=MINUTE, direction="in")
    people = replace(line, n_vehicles=4, label="person")

    flow.tell([replace(line, n_vehicles=5), replace(line, n_vehicles=5, label="car"), people], NOW)
    data = decode(broker.retained[f"{HEAD}/state/line-gate-in"])["data"]
    later = MINUTE + timedelta(minutes=1)
    flow.tell([replace(line, minute=later), replace(people, minute=later, n_vehicles=0)], NOW + timedelta(minutes=1))
    of_people_only = decode(broker.retained[f"{HEAD}/state/line-gate-in"])["data"]

    assert (data["intensity"], data["intensityByVehicleType"], data["peopleCount"]) == (5, {"car": 5}, 4)
    assert of_people_only["peopleCount"] == 0
    assert "intensity" not in of_people_only


def test_classes_that_are_not_all_known_yet_are_not_told():
    broker, flow = start()
    line = FlowMinute(camera_id=CAMERA.camera_id, subject="line", key="gate", minute=MINUTE, direction="in")

    flow.tell([replace(line, n_vehicles=7), replace(line, n_vehicles=2, label="bus")], NOW)
    assert "intensityByVehicleType" not in decode(broker.retained[f"{HEAD}/state/line-gate-in"])["data"]

    flow.tell([replace(line, n_vehicles=5, label="car")], NOW)
    assert decode(broker.retained[f"{HEAD}/state/line-gate-in"])["data"]["intensityByVehicleType"] == MIX


def test_who_went_from_zone_to_zone_is_told_each_minute_also_where_nobody_did():
    zones = (Zone(key="north", name="North arm", polygon=BOX), Zone(key="east", name="East arm", polygon=BOX))
    broker, flow = start(replace(CAMERA, scene=Scene(zones=zones)))
    zone = FlowMinute(camera_id=CAMERA.camera_id, subject="zone", key="north", minute=MINUTE, n_vehicles=4)
    way = replace(zone, subject="od", key="north>east", n_vehicles=3)

    flow.tell([zone, way], NOW)
    assert decode(broker.retained[f"{HEAD}/state/zone-north"])["data"]["intensity"] == 4
    assert decode(broker.retained[f"{HEAD}/state/od"])["data"]["originDestination"] == [
        {"origin": "North arm", "destination": "East arm", "intensity": 3}
    ]

    later = MINUTE + timedelta(minutes=1)
    flow.tell([replace(zone, minute=later, n_vehicles=0)], NOW + timedelta(minutes=1))
    assert decode(broker.retained[f"{HEAD}/state/od"])["data"]["originDestination"] == []


def test_where_nobody_looks_for_what_counts_nothing_is_said_to_be_zero_nor_sure():
    zones = (Zone(key="north", name="North arm", polygon=BOX), Zone(key="walk", name="Walk", polygon=BOX))
    broker, flow = start(replace(CAMERA, scene=Scene(zones=zones)))
    north = FlowMinute(camera_id=CAMERA.camera_id, subject="zone", key="north", minute=MINUTE, n_vehicles=0)

    flow.tell([north, replace(north, key="walk", n_vehicles=None, observed_s=0.0)], NOW)

    walk = read(broker.retained[f"{HEAD}/state/zone-walk"], Envelope)
    assert (walk.q, walk.data["observedSeconds"], "intensity" in walk.data) == ("uncertain", 0.0, False)
    # Who came from there is not known either.
    assert read(broker.retained[f"{HEAD}/state/od"], Envelope).q == "uncertain"


def test_people_who_come_into_a_zone_are_no_vehicles_on_the_broker():
    zones = tuple(Zone(key=key, name=key, polygon=BOX, labels=("person",)) for key in ("zebra", "square"))
    broker, flow = start(replace(CAMERA, scene=Scene(zones=zones)))
    zebra = FlowMinute(camera_id=CAMERA.camera_id, subject="zone", key="zebra", minute=MINUTE)

    flow.tell([zebra, replace(zebra, label="person", n_vehicles=3)], NOW)

    said = read(broker.retained[f"{HEAD}/state/zone-zebra"], Envelope)
    assert (said.q, said.data["peopleCount"], "intensity" in said.data) == ("good", 3, False)
    # Ways are those of vehicles.
    assert f"{HEAD}/state/od" not in broker.retained
    assert "od" not in streams_of(Scene(zones=zones))


def test_what_is_removed_disappears_from_the_broker():
    broker, flow = start()
    flow.tell([lane("left", n_vehicles=1), lane("right", n_vehicles=2)], NOW)

    flow.set_cameras([replace(CAMERA, scene=replace(SCENE, lanes=SCENE.lanes[:1]))], NOW)
    assert f"{HEAD}/state/lane-right" not in broker.retained
    assert f"{HEAD}/state/lane-left" in broker.retained

    flow.set_cameras([], NOW)
    assert broker.retained == {}


def test_settings_that_change_nothing_say_nothing():
    broker, flow = start()
    n_said = broker.n_said

    flow.set_cameras([replace(CAMERA, detect_fps=5.0)], NOW + timedelta(minutes=1))

    assert broker.n_said == n_said


def test_any_name_fits_into_a_topic_and_no_two_become_one():
    names = ["A b", "a-b", "a_b", "ab" * 30, "ab" * 31, "ÄÖÜ", "線"]

    slugs = [slug(name) for name in names]

    assert all(is_slug(name) for name in slugs)
    assert len(set(slugs)) == len(names)
    assert all(is_slug(name) for name in streams_of(SCENE))


def test_minutes_that_ended_while_the_broker_was_away_are_told_each_once_in_order():
    broker, flow = start()
    broker.is_up = False
    for number in range(3):
        minute = MINUTE + timedelta(minutes=number)
        flow.tell([replace(lane(n_vehicles=number), minute=minute)], NOW + timedelta(minutes=number))
    assert f"{HEAD}/state/lane-right" not in broker.retained

    broker.is_up = True
    for _ in range(5):
        flow.tell_waiting(NOW + timedelta(minutes=3))

    told = [said for name, said in broker.heard if name.endswith("/state/lane-right")]
    assert [said["data"]["intensity"] for said in told] == [0, 1, 2]
    assert len({said["id"] for said in told}) == 3
    assert told[0]["hist"]


def test_a_clock_that_ran_ahead_and_was_set_right_silences_nothing():
    broker, flow = start()
    ahead = timedelta(hours=1)
    flow.tell([replace(lane(n_vehicles=9), minute=MINUTE + ahead)], NOW + ahead)

    flow.tell([lane(n_vehicles=3)], NOW)

    assert decode(broker.retained[f"{HEAD}/state/lane-right"])["data"]["intensity"] == 3


def test_a_camera_that_shows_nothing_is_said_to_be_lost_until_it_is_back():
    broker, flow = start()

    flow.show_lost(CAMERA.camera_id, NOW)
    assert decode(broker.retained[f"{HEAD}/status"])["state"] == "lost"

    flow.show_back(CAMERA.camera_id, NOW)
    assert decode(broker.retained[f"{HEAD}/status"])["state"] == "online"


def test_a_node_that_ends_takes_its_cameras_offline():
    broker, flow = start()

    flow.say_goodbye(NOW)

    assert decode(broker.retained[f"{HEAD}/status"])["state"] == "offline"


def test_a_camera_that_measures_nothing_has_no_state_on_the_broker():
    broker, flow = start()

    flow.show_lost("another", NOW)

    assert not any("another" in name for name in broker.retained)


def status(broker: Broker) -> object:
    return decode(broker.retained[f"{HEAD}/status"])["state"]


def test_a_camera_that_is_disabled_is_offline_and_leaves_no_minute_behind():
    broker, flow = start()
    flow.tell([lane(n_vehicles=3)], NOW)

    flow.set_cameras([replace(CAMERA, is_enabled=False)], NOW)
    flow.tell([lane(n_vehicles=4)], NOW)

    assert status(broker) == "offline"
    assert not any("/state/" in name for name in broker.retained)
    assert f"{HEAD}/birth" in broker.retained
    flow.set_cameras([CAMERA], NOW)
    assert status(broker) == "online"


def test_what_a_run_before_left_of_a_camera_that_is_disabled_now_is_taken_away():
    broker, flow = start()
    flow.tell([lane(n_vehicles=3)], NOW)

    later = CameraFlow(tenant="city", boot="boot-2", publish=broker.publish)
    later.set_cameras([replace(CAMERA, is_enabled=False)], NOW)

    assert not any("/state/" in name for name in broker.retained)


def test_a_lost_camera_stays_lost_when_it_is_renamed_or_redrawn():
    broker, flow = start()
    flow.show_lost(CAMERA.camera_id, NOW)

    flow.set_cameras([replace(CAMERA, name="Bridge, north", scene=replace(SCENE, lines=()))], NOW)
    assert (read(broker.retained[f"{HEAD}/birth"], Birth).name, status(broker)) == ("Bridge, north", "lost")

    flow.show_back(CAMERA.camera_id, NOW)
    assert status(broker) == "online"
