"""Cameras in the node, with a supervisor that only writes down what it is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.cameras.model import Camera
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError
from core.kernel.ids import new_id
from core.media.model import SourceSpec, StreamReport, StreamState
from core.media.ring import FrameRing
from core.node.sight import Sight
from core.vision.flow import FlowMinute
from core.vision.messages import Heartbeat, Observed, RulesReset
from core.vision.model import (
    CameraWatched,
    CountLine,
    LineCrossed,
    Observation,
    ObservationKind,
    Phase,
    Scene,
    Zone,
)

ZONE = Zone(key="zone-a", name="Lane A", polygon=((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))


class Told:
    """Stands in for worker processes: what a supervisor and the room's other parts were told."""

    def __init__(self):
        self.jobs = ()
        self.lost, self.back, self.observed, self.reset, self.begun_anew, self.counted = [], [], [], [], [], []
        self.blind, self.sighted, self.totals, self.scenes, self.gaps = [], [], [], [], []

    def set_cameras(self, jobs):
        self.jobs = jobs


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def clock():
    return FakeClock(datetime(2026, 11, 21, 10, 0, 30, tzinfo=UTC))


@pytest.fixture
def sight(told, clock, tmp_path):
    def spec_of(camera):
        if camera.address == "bad:":
            raise BadInputError("The address is no good.")
        return SourceSpec(address=camera.address)

    return Sight(
        told,
        rings=tmp_path / "rings",
        clock=clock,
        spec_of=spec_of,
        on_stream=lambda report: None,
        on_inside=lambda camera_id, inside: None,
        on_totals=lambda camera_id, totals: told.totals.append((camera_id, dict(totals))),
        on_observed=told.observed.append,
        on_lost=told.lost.append,
        on_back=told.back.append,
        on_rules_reset=told.reset.append,
        on_rules_begun_anew=told.begun_anew.append,
        on_scene_changed=lambda *changed: told.scenes.append(changed),
        on_counted=told.counted.append,
        on_blind=told.blind.append,
        on_sighted=told.sighted.append,
        on_gaps=lambda *gaps: told.gaps.append(gaps),
        time_zone=ZoneInfo("Europe/Berlin"),
    )


def camera(camera_id="a", **changes):
    return replace(Camera(camera_id=camera_id, name=f"Camera {camera_id}", address=f"synthetic:{camera_id}"), **changes)


def beat(*reports):
    return Heartbeat(streams=reports, inside={}, cpu_percent=0.0, memory_mb=0.0)


def report(state, camera_id="a", since_s=0.0, **changes):
    return StreamReport(camera_id=camera_id, state=state, since_s=since_s, **changes)


def crossing(clock, direction="in", camera_id="a", label="car"):
    return Observed(
        observation=Observation(
            observation_id=new_id(),
            camera_id=camera_id,
            kind=ObservationKind.LINE_CROSSED,
            phase=Phase.INSTANT,
            rule_key="gate",
            rule_name="Gate",
            condition_key="",
            pts_s=1.0,
            captured_at=clock.now(),
            label=label,
            direction=direction,
        )
    )


def test_who_counts_at_a_line_hears_of_crossings_by_the_way_the_line_is_drawn(sight, told, clock):
    line = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5), forward_name="in", backward_name="out")
    sight.set_cameras((camera("a", scene=Scene(lines=(line,))), camera("b")))
    sight.take(beat(report(StreamState.LIVE, detect_fps=5.0), report(StreamState.LIVE, "b", detect_fps=5.0)))
    sight.take(beat(report(StreamState.LIVE), report(StreamState.STALE)))
    for direction in ("in", "out", "renamed"):
        sight.take(crossing(clock, direction))
    sight.take(crossing(clock, "in", label="person"))

    assert told.counted == [
        CameraWatched(camera_id="a", at=clock.now()),
        LineCrossed(camera_id="a", line_key="gate", is_forward=True, at=clock.now()),
        LineCrossed(camera_id="a", line_key="gate", is_forward=False, at=clock.now()),
    ]


def test_every_enabled_camera_gets_a_job_and_a_ring(sight, told):
    sight.set_cameras((camera("a"), camera("b", is_enabled=False)))

    assert [job.camera_id for job in told.jobs] == ["a"]
    assert told.jobs[0].ring.exists()
    assert sight.streams["a"].state is StreamState.CONNECTING
    assert sight.streams["b"].state is StreamState.DISABLED


def test_a_camera_with_a_bad_address_says_so_and_does_not_keep_the_others_from_working(sight, told):
    sight.set_cameras((camera("a", address="bad:"), camera("b")))

    assert [job.camera_id for job in told.jobs] == ["b"]
    assert sight.streams["a"].state is StreamState.UNUSABLE
    assert "no good" in sight.streams["a"].reason


def test_a_camera_that_no_worker_can_be_given_calls_and_is_tried_again(sight, told, clock, monkeypatch):
    def no_room(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(FrameRing, "create", no_room)
        sight.set_cameras((camera(),))
        clock.advance(seconds=2.0)
        sight.watch()
        assert told.lost == []
        clock.advance(seconds=4.0)
        sight.watch()
        sight.watch()
        assert [event.report.state for event in told.lost] == [StreamState.UNUSABLE]
        assert "No space left" in told.lost[0].report.reason
        clock.advance(seconds=10.0)
        sight.watch()
        assert told.jobs == ()

    clock.advance(seconds=10.0)
    sight.watch()
    assert [job.camera_id for job in told.jobs] == ["a"]
    sight.take(beat(report(StreamState.LIVE)))
    assert [event.camera_id for event in told.back] == ["a"]


def test_a_short_loss_is_no_news_and_a_long_one_is_told_once(sight, told):
    sight.set_cameras((camera(),))

    sight.take(beat(report(StreamState.LOST, since_s=1.0)))
    assert told.lost == []
    sight.take(beat(report(StreamState.LOST, since_s=6.0)))
    sight.take(beat(report(StreamState.LOST, since_s=7.0)))

    assert [event.camera.camera_id for event in told.lost] == ["a"]


def test_a_camera_that_connects_for_ever_is_told_as_lost(sight, told):
    sight.set_cameras((camera(),))

    sight.take(beat(report(StreamState.CONNECTING, since_s=14.0)))
    assert told.lost == []
    sight.take(beat(report(StreamState.CONNECTING, since_s=16.0)))
    sight.take(beat(report(StreamState.CONNECTING, since_s=17.0)))
    sight.take(beat(report(StreamState.LIVE)))

    assert [event.camera.camera_id for event in told.lost] == ["a"]
    assert [event.camera_id for event in told.back] == ["a"]


def test_a_camera_that_comes_back_is_told_once(sight, told):
    sight.set_cameras((camera(),))
    sight.take(beat(report(StreamState.UNAUTHORISED, since_s=9.0)))

    sight.take(beat(report(StreamState.LIVE)))
    sight.take(beat(report(StreamState.LIVE)))

    assert [event.camera_id for event in told.back] == ["a"]


def test_a_lost_camera_that_is_disabled_is_not_waited_for_and_is_told_again_when_it_is_lost_again(sight, told):
    sight.set_cameras((camera(),))
    sight.take(beat(report(StreamState.LOST, since_s=6.0)))

    sight.set_cameras((camera(is_enabled=False),))
    sight.set_cameras((camera(),))
    sight.take(beat(report(StreamState.LOST, since_s=6.0)))

    assert [event.camera_id for event in told.back] == ["a"]
    assert len(told.lost) == 2


def test_what_was_called_for_at_a_camera_that_is_disabled_is_over(sight, told):
    sight.set_cameras((camera("a"), camera("b")))

    sight.set_cameras((camera("a", is_enabled=False), camera("b", name="Another name")))

    assert told.reset == ["a"]
    assert told.begun_anew == []


def test_a_scene_that_changed_is_told_with_the_one_before_once(sight, told):
    drawn = Scene(zones=(ZONE,))
    sight.set_cameras((camera("a"), camera("b")))

    sight.set_cameras((camera("a", scene=drawn), camera("b", name="Another name")))
    sight.set_cameras((camera("a", scene=drawn), camera("b", name="Another name")))

    assert told.scenes == [("a", Scene(), drawn)]
    assert told.reset == told.begun_anew == []


def test_a_camera_that_cannot_be_read_any_more_ends_nothing(sight, told):
    sight.set_cameras((camera("a"),))

    sight.set_cameras((camera("a", address="bad:"),))

    assert told.begun_anew == ["a"]
    assert told.reset == []


def test_a_worker_whose_rules_broke_says_so_and_ends_nothing(sight, told):
    sight.set_cameras((camera("a"),))

    sight.take(RulesReset(camera_id="a"))
    sight.take(RulesReset(camera_id="removed"))

    assert told.begun_anew == ["a"]
    assert told.reset == []


def test_another_address_ends_nothing_of_what_was_seen(sight, told):
    sight.set_cameras((camera("a"),))

    sight.set_cameras((camera("a", address="synthetic:elsewhere"),))

    assert told.begun_anew == ["a"]
    assert told.reset == []


def test_a_removed_camera_is_not_told_as_one_whose_rules_begin_anew(sight, told):
    sight.set_cameras((camera("a"), camera("b")))

    sight.set_cameras((camera("b"),))

    assert told.reset == []


def test_crossings_are_counted_by_minute_and_as_a_total(sight, clock):
    sight.set_cameras((camera(),))
    for direction in ("in", "in", "out"):
        sight.take(crossing(clock, direction))
    clock.advance(seconds=40)
    sight.take(crossing(clock, "in"))

    counts = sight.take_counts()

    assert sight.totals == {"a": {"gate": {"in": 3, "out": 1}}}
    assert sorted((count.minute.minute, count.direction, count.n_vehicles) for count in counts) == [
        (0, "in", 2),
        (0, "out", 1),
        (1, "in", 1),
    ]
    assert sight.take_counts() == [], "counted once"


def test_what_a_model_that_is_not_meant_for_the_site_sees_is_neither_called_nor_counted(sight, told, clock):
    sight.set_cameras((camera("a", detect_fps=5.0), camera("b", detect_fps=0.0)))
    sight.note_stand_in()

    sight.take(crossing(clock))
    blinded = crossing(clock)
    blinded = replace(blinded, observation=replace(blinded.observation, kind=ObservationKind.CAMERA_BLINDED))
    sight.take(blinded)
    sight.take(replace(beat(report(StreamState.LIVE), report(StreamState.LIVE, "b")), inside={"a": {"zone": 3}}))

    assert told.observed == [blinded]
    assert (sight.totals, sight.take_counts(), sight.inside) == ({}, [], {})
    assert "Rules that go by detection are off" in sight.streams["a"].detection_reason
    assert sight.streams["b"].detection_reason == ""


def test_why_a_picture_is_black_or_blind_is_said_before_whose_model_runs(sight):
    sight.set_cameras((camera("a", detect_fps=5.0),))
    sight.note_stand_in()

    sight.take(beat(report(StreamState.LIVE, is_blind=True, detection_reason="The camera moved.")))
    moved = sight.streams["a"].detection_reason
    sight.take(beat(report(StreamState.LIVE, is_detection_reduced=True, detection_reason="Too slow.")))

    assert moved.startswith("The camera moved. Rules that go by detection are off")
    assert sight.streams["a"].detection_reason.startswith("Rules that go by detection are off")
    assert not sight.streams["a"].is_detection_reduced


def test_people_are_counted_apart_from_vehicles(sight, clock):
    sight.set_cameras((camera(),))
    for label in ("car", "person", "person"):
        sight.take(crossing(clock, label=label))

    assert sight.totals == {"a": {"gate": {"in": 1, "in (people)": 2}}}
    assert {count.label: count.n_vehicles for count in sight.take_counts()} == {"car": 1, "person": 2}


def test_the_totals_begin_anew_at_midnight(sight, clock):
    sight.set_cameras((camera(),))
    sight.take(crossing(clock))
    clock.advance(seconds=timedelta(hours=15).total_seconds())
    sight.take(crossing(clock))

    assert sight.totals == {"a": {"gate": {"in": 1}}}


def test_counts_of_yesterday_are_gone_at_midnight_of_the_site_although_nobody_crosses(sight, told, clock):
    sight.set_cameras((camera("a"), camera("b")))
    for camera_id in ("a", "b"):
        sight.take(crossing(clock, camera_id=camera_id))
    # It is 11:00:30 there.
    clock.advance(seconds=timedelta(hours=12, minutes=59, seconds=29).total_seconds())
    sight.watch()
    assert [totals for _, totals in told.totals if not totals] == []

    clock.advance(seconds=1)
    sight.watch()

    assert told.totals[-2:] == [("a", {}), ("b", {})]
    assert sight.totals == {}


GATE = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))
EXIT = replace(GATE, key="exit", name="Exit")


def counted(first, until, camera_id="a"):
    """Return whole minutes of a camera with lines."""
    n_minutes = (until - first) // timedelta(minutes=1)
    return [
        FlowMinute(camera_id=camera_id, subject="line", key="", minute=first + timedelta(minutes=n))
        for n in range(n_minutes)
    ]


MIDNIGHT = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


def test_totals_of_a_day_say_how_many_minutes_are_missing_in_them_also_after_a_restart(sight, told, clock):
    sight.take_minutes(counted(MIDNIGHT, clock.now() - timedelta(minutes=7)))
    sight.set_cameras((camera("a", scene=Scene(lines=(GATE,))), camera("b")))
    sight.watch()
    clock.advance(seconds=180)
    sight.watch()
    sight.watch()

    assert told.gaps == [("a", {"gate": 7}), ("a", {"gate": 10})]
    assert sight.gaps["a"] == {"gate": 10}


def test_totals_of_a_camera_that_counted_all_day_miss_nothing(sight, told, clock):
    sight.take_minutes(counted(MIDNIGHT, clock.now()))
    sight.set_cameras((camera("a", scene=Scene(lines=(GATE,))),))
    sight.watch()

    assert told.gaps == []


def test_totals_miss_nothing_of_the_time_before_a_line_was_drawn(sight, told, clock):
    sight.set_cameras((camera("a", scene=Scene(lines=(GATE,))),))
    sight.note_drawn({"a": {"gate": clock.now() - timedelta(minutes=4)}})
    clock.advance(seconds=60)
    sight.set_cameras((camera("a", scene=Scene(lines=(GATE, EXIT))), camera("new", scene=Scene(lines=(GATE,)))))
    clock.advance(seconds=180)
    sight.watch()

    assert dict(told.gaps) == {"a": {"gate": 7, "exit": 2}, "new": {"gate": 2}}


def test_at_midnight_of_the_site_nothing_is_missing_any_more(sight, told, clock):
    sight.set_cameras((camera("a", scene=Scene(lines=(GATE,))),))
    sight.watch()
    clock.advance(seconds=13 * 3600)
    sight.watch()

    assert told.gaps[-1] == ("a", {})


def test_sums_never_step_back_when_a_worker_restarts_or_a_camera_is_removed(sight):
    sight.set_cameras((camera("a"), camera("b")))
    sight.take(beat(report(StreamState.LIVE, "a", n_frames=100), report(StreamState.LIVE, "b", n_frames=10)))
    sight.mark_restarting(("a",))
    assert sight.sums()[0] == 110
    sight.take(beat(report(StreamState.LIVE, "a", n_frames=5)))
    sight.set_cameras((camera("a"),))

    assert sight.sums()[0] == 115


def test_the_tile_of_a_restarting_worker_does_not_look_live(sight):
    sight.set_cameras((camera(),))
    sight.take(beat(report(StreamState.LIVE)))

    sight.mark_restarting(("a",))

    assert sight.streams["a"].state is StreamState.RESTARTING
    assert sight.streams["a"].reason


def test_a_camera_that_restarts_keep_from_showing_anything_is_lost_until_it_shows_something(sight, told, clock):
    sight.set_cameras((camera(),))
    sight.take(beat(report(StreamState.LIVE)))
    for _ in range(3):
        sight.mark_restarting(("a",))
        clock.advance(seconds=3)
        sight.watch()
        assert sight.streams["a"].since_s > 0.0
        sight.take(beat(report(StreamState.CONNECTING, since_s=1.0)))
        clock.advance(seconds=1)
        sight.watch()
    assert told.lost == []

    sight.mark_restarting(("a",))
    clock.advance(seconds=4)
    sight.watch()
    sight.watch()

    assert [lost.camera.camera_id for lost in told.lost] == ["a"]
    sight.take(beat(report(StreamState.LIVE)))
    assert [back.camera_id for back in told.back] == ["a"]


def test_one_short_restart_calls_nobody(sight, told, clock):
    sight.set_cameras((camera(),))
    sight.mark_restarting(("a",))
    clock.advance(seconds=5)
    sight.take(beat(report(StreamState.LIVE)))
    clock.advance(seconds=60)

    sight.watch()

    assert told.lost == []


def test_the_tile_of_a_camera_that_ends_its_process_says_so_and_what_to_do(sight):
    sight.set_cameras((camera(),))

    sight.mark_culprit("a")
    sight.watch()

    said = sight.streams["a"]
    assert said.state is StreamState.RESTARTING
    assert "ends the process" in said.reason
    assert "set another codec" in said.hint


def test_a_removed_camera_leaves_no_ring_behind(sight, told):
    sight.set_cameras((camera(),))
    ring = told.jobs[0].ring

    sight.set_cameras(())

    assert not ring.exists()
    assert sight.ring_files == {}


def test_the_smaller_stream_goes_to_the_worker_with_the_camera(sight, told):
    sight.set_cameras((camera(sub_address="synthetic:small"),))

    assert told.jobs[0].source.address == "synthetic:a"
    assert told.jobs[0].sub_source == SourceSpec(address="synthetic:small")


def test_a_smaller_stream_that_cannot_be_used_does_not_cost_the_camera(sight, told):
    sight.set_cameras((camera(sub_address="bad:"), camera("b")))

    assert [job.camera_id for job in told.jobs] == ["a", "b"]
    assert told.jobs[0].sub_source is None


def test_a_removed_camera_leaves_no_pictures_for_the_detector_behind(sight, tmp_path):
    sight.set_cameras((camera("a"), camera("b")))
    for name in ("a.77-1.looks", "b.77-1.looks"):
        (tmp_path / "rings" / name).write_bytes(b"")

    sight.set_cameras((camera("b"),))

    assert {path.name for path in (tmp_path / "rings").glob("*.looks")} == {"b.77-1.looks"}


def test_a_camera_that_sees_nothing_is_told_once_and_told_again_when_it_sees(sight, told, clock):
    sight.set_cameras((camera("a"),))
    for is_blind in (False, True, True, False, False):
        sight.take(beat(report(StreamState.LIVE, is_blind=is_blind, detect_fps=5.0)))

    assert told.blind == ["a"]
    assert told.sighted == ["a"]


def test_a_camera_that_is_lost_while_it_saw_nothing_is_not_told_to_see(sight, told):
    sight.set_cameras((camera("a"),))
    sight.take(beat(report(StreamState.LIVE, is_blind=True)))
    sight.take(beat(report(StreamState.STALE)))

    assert told.sighted == []


@pytest.mark.parametrize("fault", [{"is_blind": True}, {"is_undersampled": True}])
def test_nobody_counts_at_the_lines_of_a_camera_that_sees_nothing_or_too_rarely(sight, told, clock, fault):
    line = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5), forward_name="in", backward_name="out")
    sight.set_cameras((camera("a", scene=Scene(lines=(line,))),))
    sight.take(beat(report(StreamState.LIVE, detect_fps=5.0)))
    n_watched = len(told.counted)
    sight.take(beat(report(StreamState.LIVE, detect_fps=5.0, **fault)))

    assert n_watched == 1
    assert not any(isinstance(event, CameraWatched) for event in told.counted[1:])
