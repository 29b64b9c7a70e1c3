"""What operators make of incidents, and what that says of the rules."""

from datetime import timedelta

import pytest

from core.access import audit
from core.incidents.dispatch import DispatchService
from core.incidents.model import SourceKind
from core.incidents.review import (
    Outcome,
    ReviewChanged,
    ReviewFilter,
    ReviewService,
    Waiting,
    wilson_interval,
)
from core.incidents.work import Disposition, HandIncident, Step, StepOrder
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.ids import new_id
from core.store.tables import IncidentRow
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.room import OLGA, OMAR, VERA, Room, make_condition


@pytest.fixture
def review(room: Room) -> ReviewService:
    return ReviewService(room.store, room.bus, room.clock)


def happen(room: Room, n: int = 1, **changes) -> list[str]:
    """Let a rule raise this many incidents, a minute apart; return their ids, oldest first."""
    ids = []
    for number in range(n):
        key = f"camera/{changes.get('source_id', 'ring-north')}/{changes.get('kind', 'congestion')}:{number}-{new_id()}"
        condition = make_condition(condition_key=key, began_at=room.clock.now(), **changes)
        ids.append(room.run(room.incidents.raise_condition(condition)).incident_id)
        room.clock.advance(seconds=60)
    return ids


def decide(room, review, incident_id, outcome, *, kind="congestion", version=0, actor=OLGA, **more):
    return room.run(review.decide(actor, incident_id, outcome, shown_kind=kind, expect_version=version, **more))


def see(room, kind, *, confidence=0.9):
    """Let a rule see something at the same place; return the incident that it belongs to."""
    seen = Observation(
        observation_id=new_id(),
        camera_id="ring-north",
        kind=kind,
        phase=Phase.BEGIN,
        rule_key="lane",
        rule_name="Lane",
        condition_key=f"{kind.value}:lane",
        pts_s=0.0,
        captured_at=room.clock.now(),
        bbox_xyxy=(0.4, 0.4, 0.5, 0.5),
        confidence=confidence,
        values={},
    )
    return room.run(room.incidents.take_observation(seen, camera_name="Ring North")).incident_id


def write_by_hand(room):
    """Let an operator write down a crash at a camera, and close it as true."""
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    wanted = HandIncident(kind="collision", title="Crash that no rule saw", camera_id="ring-north")
    incident = room.run(dispatch.open_by_hand(OLGA, wanted, source_name="Ring North"))
    for order in (
        StepOrder(step=Step.ASSIGN, operator="olga"),
        StepOrder(step=Step.RESOLVE),
        StepOrder(step=Step.CLOSE, disposition=Disposition.TRUE),
    ):
        incident = room.run(dispatch.take_step(OLGA, incident.incident_id, order, expect_version=incident.work_version))
    return incident


def counted(room, review):
    """Return what is counted of each rule on all cameras: true, false, waiting."""
    rules = room.run(review.precision(VERA)).rules
    return {rule.kind: (rule.n_true, rule.n_false, rule.n_waiting) for rule in rules if not rule.source_id}


def page(room, review, **options):
    wanted = ReviewFilter(**{key: options.pop(key) for key in ("kind", "source_id", "waiting") if key in options})
    return room.run(review.page(VERA, wanted, **options))


def ids_of(found):
    return [item.incident.incident_id for item in found.items]


def test_incidents_wait_newest_first_until_somebody_says_what_they_were(room, review):
    first, second, third = happen(room, 3)

    decide(room, review, second, Outcome.TRUE)

    assert ids_of(page(room, review)) == [third, first]
    assert page(room, review).n_matching == 2
    (done,) = page(room, review, waiting=Waiting.REVIEWED).items
    assert (done.outcome, done.reviewed_by, done.version) == (Outcome.TRUE, "olga", 1)


def test_only_what_a_rule_raised_is_reviewed(room, review):
    happen(room, kind="camera_lost")
    happen(room, kind="station_congestion", source_kind=SourceKind.STATION)
    (jam,) = happen(room)

    assert ids_of(page(room, review, waiting=Waiting.ALL)) == [jam]


def test_what_an_operator_wrote_down_waits_for_nobody_and_says_nothing_of_a_rule(room, review):
    crash = write_by_hand(room)

    assert room.run(review.take_disposition(OLGA, crash)) is None
    assert ids_of(page(room, review, waiting=Waiting.ALL)) == []
    report = room.run(review.precision(VERA))
    assert (report.rules, report.bins) == ((), ())
    with pytest.raises(BadInputError, match="of a rule"):
        decide(room, review, crash.incident_id, Outcome.TRUE, kind="collision")


def test_what_a_rule_raised_repeats_nothing_that_was_written_down(room, review):
    crash = write_by_hand(room)
    (jam,) = happen(room)

    assert room.run(review.candidates(VERA, jam)) == ()
    with pytest.raises(BadInputError, match="of a rule"):
        decide(room, review, jam, Outcome.DUPLICATE, duplicate_of=crash.incident_id)


def test_an_answer_is_about_the_rule_that_the_incident_was_named_after_just_then(room, review):
    incident_id = see(room, ObservationKind.STOPPED_VEHICLE, confidence=0.65)
    decide(room, review, incident_id, Outcome.TRUE, kind="stopped_vehicle")
    room.clock.advance(seconds=1800)

    assert see(room, ObservationKind.COLLISION, confidence=0.95) == incident_id

    assert counted(room, review) == {"stopped_vehicle": (1, 0, 0), "collision": (0, 0, 1)}
    (waits,) = page(room, review).items
    assert (waits.incident.kind, waits.outcome, waits.version) == ("collision", None, 0)
    bins = room.run(review.precision(VERA)).bins
    assert [(one.kind, one.low, one.n_true) for one in bins if one.n_true] == [("stopped_vehicle", 0.6, 1)]


def test_an_incident_of_two_rules_has_an_answer_for_each(room, review):
    incident_id = see(room, ObservationKind.STOPPED_VEHICLE)
    decide(room, review, incident_id, Outcome.TRUE, kind="stopped_vehicle")
    see(room, ObservationKind.COLLISION)

    decide(room, review, incident_id, Outcome.FALSE, kind="collision")

    assert counted(room, review) == {"stopped_vehicle": (1, 0, 0), "collision": (0, 1, 0)}
    assert ids_of(page(room, review)) == []


def test_an_answer_to_what_became_something_else_is_refused_and_the_desk_is_told_what_it_is(room, review):
    incident_id = see(room, ObservationKind.STOPPED_VEHICLE)
    see(room, ObservationKind.COLLISION)
    heard = []
    room.bus.subscribe(ReviewChanged, heard.append)

    with pytest.raises(StaleWriteError, match="It became Collision"):
        decide(room, review, incident_id, Outcome.TRUE, kind="stopped_vehicle")

    assert [(item.incident.kind, item.outcome) for item in heard[0].items] == [("collision", None)]
    assert counted(room, review) == {"collision": (0, 0, 1)}


def test_an_answer_is_taken_back_also_when_the_incident_became_something_else(room, review):
    incident_id = see(room, ObservationKind.STOPPED_VEHICLE)
    decide(room, review, incident_id, Outcome.FALSE, kind="stopped_vehicle")
    see(room, ObservationKind.COLLISION)

    item = room.run(review.undo(OLGA, incident_id, shown_kind="stopped_vehicle", expect_version=1))

    assert (item.incident.kind, item.outcome) == ("collision", None)
    assert counted(room, review) == {"collision": (0, 0, 1)}


def test_what_became_of_an_incident_answers_for_its_last_name(room, review):
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    incident_id = see(room, ObservationKind.STOPPED_VEHICLE)
    decide(room, review, incident_id, Outcome.TRUE, kind="stopped_vehicle")
    see(room, ObservationKind.COLLISION)
    order = StepOrder(step=Step.CLOSE, disposition=Disposition.FALSE_ALARM)
    closed = room.run(dispatch.take_step(OLGA, incident_id, order, expect_version=0))

    room.run(review.take_disposition(OLGA, closed))

    assert counted(room, review) == {"stopped_vehicle": (1, 0, 0), "collision": (0, 1, 0)}


def test_the_queue_is_read_in_pages_without_losing_one(room, review):
    ids = happen(room, 25)

    seen, before = [], ""
    while True:
        found = page(room, review, before=before, limit=10)
        seen += ids_of(found)
        before = seen[-1]
        if not found.has_more:
            break

    assert seen == ids[::-1]


def test_the_queue_is_filtered_by_rule_and_by_camera(room, review):
    (jam,) = happen(room)
    (stopped,) = happen(room, kind="stopped_vehicle", source_id="tunnel")

    assert ids_of(page(room, review, kind="stopped_vehicle")) == [stopped]
    assert ids_of(page(room, review, source_id="ring-north")) == [jam]
    assert ids_of(page(room, review, kind="congestion", source_id="tunnel")) == []


def test_the_last_word_counts_and_every_word_is_in_the_audit(room, review):
    (jam,) = happen(room)

    decide(room, review, jam, Outcome.TRUE, note="a lorry")
    item = decide(room, review, jam, Outcome.FALSE, version=1, actor=OMAR)

    assert (item.outcome, item.reviewed_by, item.version) == (Outcome.FALSE, "omar", 2)
    entries = [entry for entry in room.run(audit.recent(room.store)) if entry.action == "incident.review"]
    assert [(entry.actor, entry.detail) for entry in entries] == [("omar", "false"), ("olga", "true: a lorry")]


def test_who_was_slower_hears_of_it(room, review):
    (jam,) = happen(room)
    decide(room, review, jam, Outcome.TRUE)

    with pytest.raises(StaleWriteError, match="olga reviewed"):
        decide(room, review, jam, Outcome.FALSE, actor=OMAR)


def test_a_review_that_is_taken_back_waits_again_and_an_old_version_stays_old(room, review):
    (jam,) = happen(room)
    decide(room, review, jam, Outcome.FALSE)

    item = room.run(review.undo(OLGA, jam, shown_kind="congestion", expect_version=1))

    assert item.outcome is None
    assert ids_of(page(room, review)) == [jam]
    with pytest.raises(StaleWriteError):
        decide(room, review, jam, Outcome.TRUE, version=0)
    assert decide(room, review, jam, Outcome.TRUE, version=item.version).outcome is Outcome.TRUE


def test_what_nobody_reviewed_cannot_be_taken_back(room, review):
    (jam,) = happen(room)

    with pytest.raises(BadInputError, match="was not reviewed"):
        room.run(review.undo(OLGA, jam, shown_kind="congestion", expect_version=0))


def test_viewers_read_and_operators_review(room, review):
    (jam,) = happen(room)

    assert ids_of(page(room, review)) == [jam]
    with pytest.raises(NotPermittedError):
        decide(room, review, jam, Outcome.TRUE, actor=VERA)


def test_a_duplicate_names_the_original_also_through_another_duplicate(room, review):
    original, second, third = happen(room, 3)
    decide(room, review, second, Outcome.DUPLICATE, duplicate_of=original)

    item = decide(room, review, third, Outcome.DUPLICATE, duplicate_of=second)

    assert item.duplicate_of == original


def test_what_repeats_a_later_duplicate_follows_to_its_original(room, review):
    original, second, third = happen(room, 3)
    decide(room, review, third, Outcome.DUPLICATE, duplicate_of=second)

    decide(room, review, second, Outcome.DUPLICATE, duplicate_of=original)

    found = {item.incident.incident_id: item for item in page(room, review, waiting=Waiting.ALL).items}
    assert found[third].duplicate_of == original


@pytest.mark.parametrize("other", ["", "itself", "nowhere"])
def test_a_duplicate_of_nothing_is_refused(room, review, other):
    (jam,) = happen(room)

    with pytest.raises(BadInputError):
        decide(room, review, jam, Outcome.DUPLICATE, duplicate_of=jam if other == "itself" else other)


def test_two_incidents_cannot_be_duplicates_of_each_other(room, review):
    first, second = happen(room, 2)
    decide(room, review, second, Outcome.DUPLICATE, duplicate_of=first)

    with pytest.raises(BadInputError, match="is a duplicate of this one"):
        decide(room, review, first, Outcome.DUPLICATE, duplicate_of=second)


def test_candidates_are_near_in_time_those_of_the_same_camera_first(room, review):
    (old,) = happen(room)
    room.clock.advance(seconds=3600)
    (elsewhere,) = happen(room, source_id="tunnel")
    (same,) = happen(room)
    (asked,) = happen(room)

    found = room.run(review.candidates(VERA, asked))

    assert [item.incident.incident_id for item in found] == [same, elsewhere]
    assert old not in [item.incident.incident_id for item in found]


def test_reviews_are_told_after_they_are_stored(room, review):
    heard = []
    room.bus.subscribe(ReviewChanged, heard.append)
    (jam,) = happen(room)

    decide(room, review, jam, Outcome.TRUE)

    assert [item.outcome for item in heard[0].items] == [Outcome.TRUE]


def test_precision_is_true_among_true_and_false_for_each_rule_and_camera(room, review):
    near, far = happen(room, 4), happen(room, 3, source_id="tunnel")
    for incident_id in near[:3]:
        decide(room, review, incident_id, Outcome.TRUE)
    decide(room, review, far[0], Outcome.FALSE)
    decide(room, review, far[1], Outcome.DUPLICATE, duplicate_of=far[0])

    report = room.run(review.precision(VERA))

    rules = {rule.source_id: rule for rule in report.rules}
    assert (rules[""].n_true, rules[""].n_false, rules[""].n_duplicate, rules[""].n_waiting) == (3, 1, 1, 2)
    assert rules[""].precision == 0.75
    assert rules["ring-north"].precision == 1.0
    assert rules["tunnel"].precision == 0.0
    assert rules[""].low < 0.75 < rules[""].high


def test_a_rule_that_nobody_reviewed_has_no_precision(room, review):
    happen(room, 2)

    (rule, _) = room.run(review.precision(VERA)).rules

    assert rule.precision is None
    assert (rule.low, rule.high) == (0.0, 1.0)


def test_precision_looks_at_incidents_since_then(room, review):
    (old,) = happen(room)
    decide(room, review, old, Outcome.FALSE)
    room.clock.advance(seconds=86_400)
    (new,) = happen(room)
    decide(room, review, new, Outcome.TRUE)

    report = room.run(review.precision(VERA, since=room.clock.now() - timedelta(hours=1)))

    assert report.rules[0].precision == 1.0


def test_how_sure_a_rule_was_is_compared_with_how_often_it_was_right(room, review):
    def write(session, n):
        rows = [
            IncidentRow(
                incident_id=new_id(),
                kind="collision",
                title="Collision",
                source_kind="camera",
                source_id="tunnel",
                source_name="Tunnel",
                status="new",
                began_at=room.clock.now(),
                confidence=confidence,
            )
            for confidence in n
        ]
        session.add_all(rows)
        session.flush()
        return [row.incident_id for row in rows]

    ids = room.run(room.store.write(lambda session: write(session, [0.65, 0.69, 0.95, 1.0])))
    for incident_id, outcome in zip(ids, (Outcome.FALSE, Outcome.TRUE, Outcome.TRUE, Outcome.TRUE), strict=True):
        decide(room, review, incident_id, outcome, kind="collision")

    bins = room.run(review.precision(VERA)).bins

    assert [(one.low, one.high, one.n_true, one.n_false) for one in bins] == [(0.6, 0.7, 1, 1), (0.9, 1.0, 2, 0)]


def test_the_interval_is_that_of_wilson():
    # Newcombe (1998), table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_an_unknown_incident_is_a_sentence(room, review):
    with pytest.raises(BadInputError, match="no such incident"):
        decide(room, review, "nowhere", Outcome.TRUE)


@pytest.mark.parametrize(
    ("disposition", "outcome"),
    [(Disposition.FALSE_ALARM, Outcome.FALSE), (Disposition.NO_ACTION, None), (Disposition.TEST, None)],
)
def test_what_became_of_an_incident_answers_its_review(room, review, disposition, outcome):
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    (jam,) = happen(room)
    order = StepOrder(step=Step.CLOSE, disposition=disposition)
    closed = room.run(dispatch.take_step(OLGA, jam, order, expect_version=0))

    answered = room.run(review.take_disposition(OLGA, closed))

    assert (answered.outcome if answered else None) is outcome
    assert ids_of(page(room, review)) == ([] if outcome else [jam])


def test_a_review_that_was_answered_stays_whatever_becomes_of_the_incident(room, review):
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    (jam,) = happen(room)
    decide(room, review, jam, Outcome.TRUE, actor=OMAR)
    order = StepOrder(step=Step.CLOSE, disposition=Disposition.FALSE_ALARM)
    closed = room.run(dispatch.take_step(OLGA, jam, order, expect_version=0))

    assert room.run(review.take_disposition(OLGA, closed)) is None
    (kept,) = page(room, review, waiting=Waiting.REVIEWED).items
    assert (kept.outcome, kept.reviewed_by) == (Outcome.TRUE, "omar")
