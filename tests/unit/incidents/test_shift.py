"""The shift log, the hand-over report and its signature, on a real store."""

import hashlib
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.access import audit
from core.incidents.dispatch import DispatchService
from core.incidents.handover import HandOver, HandOverService, file_name, to_fragment, to_text
from core.incidents.model import Priority, Quality, Shelving, SourceKind
from core.incidents.shift import ShiftEntryAdded, ShiftKind, ShiftQuery, ShiftService, ShiftWatch
from core.incidents.suppression import PlannedWorks, Source
from core.incidents.work import Disposition, HandIncident, Step, StepOrder
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, UnavailableError
from core.kernel.wire import from_bytes, to_bytes
from tests.fixtures.alarms import AT, alarm
from tests.fixtures.room import OLGA, OMAR, SUSI, VERA, Room, make_condition


@pytest.fixture
def shift(room: Room) -> ShiftService:
    return ShiftService(room.store, room.bus, room.clock)


@pytest.fixture
def hand_over(room: Room) -> HandOverService:
    return HandOverService(room.store, room.bus, room.clock, folder=room.folder / "reports", site="Marenholm")


def texts(room, shift, **query):
    return [entry.text for entry in room.run(shift.entries(ShiftQuery(**query))).entries]


# -- the log ----------------------------------------------------------------------------------------------------------


def test_what_is_written_down_is_found_by_words_name_and_desk(room, shift):
    told = []
    room.bus.subscribe(ShiftEntryAdded, told.append)
    room.run(shift.write(OLGA, "Roadworks at the Harbour Bridge until six"))
    room.run(shift.write(OMAR, "Signal 12 flashes"))

    assert texts(room, shift) == ["Signal 12 flashes", "Roadworks at the Harbour Bridge until six"]
    assert texts(room, shift, words="harbour until") == ["Roadworks at the Harbour Bridge until six"]
    assert texts(room, shift, words="omar") == ["Signal 12 flashes"]
    assert texts(room, shift, words="100%") == []
    assert [event.entry.actor for event in told] == ["olga", "omar"]


def test_an_entry_is_put_right_by_another_one_and_stays(room, shift):
    wrong = room.run(shift.write(OLGA, "Signal 12 flashes"))
    right = room.run(shift.write(OLGA, "It was signal 13", corrects=wrong.entry_id))

    assert (right.kind, right.corrects) == (ShiftKind.CORRECTION, wrong.entry_id)
    assert texts(room, shift) == ["It was signal 13", "Signal 12 flashes"]
    with pytest.raises(BadInputError, match="no such entry"):
        room.run(shift.write(OLGA, "?", corrects=999))


def test_the_database_refuses_to_change_or_remove_an_entry(room, shift):
    room.run(shift.write(OLGA, "Signal 12 flashes"))

    for statement in ("UPDATE shift_entry SET text = 'never said'", "DELETE FROM shift_entry"):
        with pytest.raises((DBAPIError, ConsoleError)):
            room.run(room.store.write(lambda session, sql=statement: session.execute(text(sql))))


def test_a_viewer_writes_nothing_and_nobody_writes_nothing(room, shift):
    with pytest.raises(NotPermittedError):
        room.run(shift.write(VERA, "hello"))
    with pytest.raises(BadInputError, match="empty"):
        room.run(shift.write(OLGA, "  "))


def test_the_log_is_read_in_pages(room, shift):
    for number in range(25):
        room.run(shift.write(OLGA, f"entry {number}"))

    first = room.run(shift.entries(ShiftQuery(limit=10)))
    second = room.run(shift.entries(ShiftQuery(limit=10, before_id=first.entries[-1].entry_id)))

    assert (first.entries[0].text, first.entries[-1].text, first.has_more) == ("entry 24", "entry 15", True)
    assert second.entries[0].text == "entry 14"


def test_held_alarms_are_told_once_when_it_begins_and_once_when_it_ends():
    watch = ShiftWatch()
    shelved = alarm(
        2, shelving=Shelving.TIMED, shelved_by="olga", shelved_until=AT + timedelta(hours=1), shelve_reason="roadworks"
    )
    for one in (alarm(), shelved, alarm(3, shelving=Shelving.TIMED, shelved_by="olga"), alarm(4)):
        watch.take(one)
    for one in (alarm(5, out_of_service_by="susi", out_of_service_reason="lens dirty"), alarm(6)):
        watch.take(one)

    assert [(draft.kind, draft.text, draft.actor) for draft in watch.due(AT)] == [
        (ShiftKind.SHELVED, "Shelved until 2026-01-01 01:00 UTC: Jam, C (roadworks).", "olga"),
        (ShiftKind.SHELVED, "No longer shelved: Jam, C.", "system"),
        (ShiftKind.OUT_OF_SERVICE, "Out of service: Jam, C (lens dirty).", "susi"),
        (ShiftKind.OUT_OF_SERVICE, "Back in service: Jam, C.", "system"),
    ]
    assert watch.due(AT) == ()


def test_what_was_held_before_the_start_is_not_told_again():
    watch = ShiftWatch()
    held = alarm(2, shelving=Shelving.TIMED, shelved_by="olga")
    watch.know(held)
    watch.take(held)

    assert watch.due(AT) == ()


def test_ten_thousand_lost_sources_are_one_line():
    watch = ShiftWatch()
    for number in range(10_000):
        watch.take(alarm(kind="device_lost", alarm_id=str(number), source_name=f"Post {number}", raised_at=AT))

    lost = [draft.text for draft in watch.due(AT) if draft.kind is ShiftKind.SOURCE]

    assert lost == ["10000 sources are lost: Post 0, Post 1, Post 2, Post 3, Post 4 and 9995 more."]


def test_a_flood_is_told_at_its_begin_and_at_its_end():
    watch = ShiftWatch()
    for number in range(11):
        watch.take(alarm(alarm_id=str(number), raised_at=AT))
    begun = [draft.text for draft in watch.due(AT)]
    ended = [draft.text for draft in watch.due(AT + timedelta(minutes=11))]

    assert begun == ["Alarm flood began: 11 in 10 minutes."]
    assert ended == ["Alarm flood ended after 11 min."]


# -- the report -------------------------------------------------------------------------------------------------------


def lines_of(content, title):
    return next(section.lines for section in content.sections if section.title == title)


@pytest.fixture
def busy_room(room, shift):
    """A shift with something in most of its sections."""
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    jam = room.run(room.incidents.raise_condition(make_condition(priority=Priority.HIGH)))
    room.run(room.incidents.raise_condition(make_condition(condition_key="camera/b/x", source_id="b", source_name="B")))
    room.run(room.incidents.set_quality(SourceKind.CAMERA, "b", Quality.STALE))
    room.run(room.incidents.comment(OLGA, jam.alarm_id, "two lanes blocked"))
    fire = room.run(dispatch.open_by_hand(OLGA, HandIncident(kind="fire", title="Smoke <b>at</b> the depot")))
    done = room.run(dispatch.open_by_hand(OLGA, HandIncident(kind="debris", title="Tyre")))
    room.run(
        dispatch.take_step(
            OLGA,
            done.incident_id,
            StepOrder(step=Step.CLOSE, disposition=Disposition.NO_ACTION, comment="gone"),
            expect_version=1,
        )
    )
    wrong = room.run(shift.write(OLGA, "Signal 12 flashes"))
    room.run(shift.write(OLGA, "It was signal 13", corrects=wrong.entry_id))
    room.clock.advance(seconds=60)
    return jam, fire


def test_the_report_says_what_is_open_what_happened_and_what_is_not_known(room, hand_over, busy_room):
    content = room.run(hand_over.preview(OLGA, comment="Quiet apart from the jam."))

    assert [line.split(":")[0] for line in lines_of(content, "Open alarms")] == [
        "[UNACK] priority 2",
        "[UNACK] priority 3",
    ]
    assert '"two lanes blocked"' in lines_of(content, "Open alarms")[0]
    assert lines_of(content, "Shelved") == ()
    assert "Smoke <b>at</b> the depot" in lines_of(content, "Incidents in work")[0]
    assert "2 more were recorded" in lines_of(content, "Incidents in work")[1]
    assert lines_of(content, "Incidents closed")[0].startswith("[Closed, no action needed] Tyre, By hand")
    comments = "\n".join(lines_of(content, "Comments"))
    assert "olga on Congestion in Lane A, Ring North: two lanes blocked" in comments
    assert "olga on Tyre: gone" in comments
    assert "It was signal 13 [entry 2] (corrects entry 1)" in comments
    assert lines_of(content, "What is not known")[0].startswith("Congestion in Lane A, B: quality stale")


def test_the_report_says_what_is_out_of_service_without_an_alarm_and_which_works_are_planned(room, hand_over):
    at = room.clock.now()
    room.run(
        room.handling.set_source_out_of_service(
            SUSI, SourceKind.DEVICE, "ring/12", name="Mast 12", reason="Swapped", until=at + timedelta(hours=2)
        )
    )
    works = PlannedWorks(
        works_id="",
        title="Tunnel cleaning",
        sources=frozenset({Source(kind=SourceKind.CAMERA, source_id="t")}),
        since=at + timedelta(hours=1),
        until=at + timedelta(hours=3),
        by="",
        reason="Every month",
    )
    room.run(room.handling.plan_works(SUSI, works))

    content = room.run(hand_over.preview(OLGA))

    assert "Mast 12" in lines_of(content, "Out of service")[0]
    assert "by susi, Swapped; it has no alarm" in lines_of(content, "Out of service")[0]
    assert "Tunnel cleaning: begin" in lines_of(content, "Planned works")[0]


def test_nothing_a_person_wrote_becomes_markup(room, hand_over, busy_room):
    content = room.run(hand_over.preview(OLGA, comment="<script>alert(1)</script>"))

    assert "Smoke &lt;b&gt;at&lt;/b&gt; the depot" in to_fragment(content)
    assert "<script" not in to_fragment(content)
    assert "<script>alert(1)</script>" in to_text(content)


def test_a_shift_begins_where_the_last_one_was_handed_over(room, hand_over):
    first = room.run(hand_over.hand_over(OLGA))
    room.clock.advance(seconds=3600)

    assert first.content.since == first.content.until - timedelta(hours=12)
    assert room.run(hand_over.preview(OMAR)).since == first.content.until
    with pytest.raises(BadInputError, match="within the last week"):
        room.run(hand_over.preview(OLGA, since=room.clock.now() + timedelta(seconds=1)))


def test_a_report_has_the_times_of_the_site_with_their_offset_also_at_a_desk_elsewhere(room, busy_room):
    berlin = HandOverService(
        room.store,
        room.bus,
        room.clock,
        folder=room.folder / "reports",
        site="Marenholm",
        zone=ZoneInfo("Europe/Berlin"),
    )
    made = room.run(berlin.hand_over(OLGA))
    at_a_desk = from_bytes(to_bytes(made), HandOver)

    local = made.content.until.astimezone(ZoneInfo("Europe/Berlin"))
    assert f"To: {local:%Y-%m-%d %H:%M:%S}+01:00" in to_text(at_a_desk.content)
    assert "UTC" not in to_text(at_a_desk.content)
    assert hashlib.sha256(to_text(at_a_desk.content).encode()).hexdigest() == made.sha256


def test_a_room_that_handed_nothing_over_for_long_reports_its_last_week(room, hand_over):
    room.run(hand_over.hand_over(OLGA))
    room.clock.advance(seconds=9 * 86_400)

    assert room.run(hand_over.preview(OMAR)).since == room.clock.now() - timedelta(days=7)


def test_a_room_whose_clock_was_set_back_hands_over_all_the_same(room, hand_over):
    room.run(hand_over.hand_over(OLGA))
    room.clock.step(seconds=-3600)

    assert room.run(hand_over.preview(OMAR)).since == room.clock.now()


def test_the_incoming_operator_signs_once_and_never_the_outgoing_one(room, hand_over, shift, busy_room):
    made = room.run(hand_over.hand_over(OLGA))

    with pytest.raises(BadInputError, match="does not sign"):
        room.run(hand_over.sign(OLGA, made.hand_over_id))
    with pytest.raises(NotPermittedError):
        room.run(hand_over.sign(VERA, made.hand_over_id))
    room.clock.advance(seconds=30)
    signed = room.run(hand_over.sign(OMAR, made.hand_over_id, comment="read"))
    with pytest.raises(BadInputError, match="omar has signed"):
        room.run(hand_over.sign(OMAR, made.hand_over_id))

    assert (signed.signed_by, signed.signed_desk, signed.signed_at) == ("omar", "Desk 2", room.clock.now())
    assert (signed.sha256, signed.content) == (made.sha256, made.content)
    assert [entry.action for entry in room.run(audit.recent(room.store))][:2] == ["shift.sign", "shift.hand_over"]
    assert texts(room, shift)[:2] == [
        "Shift taken over by omar from olga. read",
        "Shift handed over by olga: 2 open alarms. It waits for a signature.",
    ]


def test_both_files_carry_the_report_and_then_the_signature(room, hand_over, busy_room):
    made = room.run(hand_over.hand_over(OLGA))
    page, plain = (room.folder / "reports" / f"{file_name(made)}{ending}" for ending in (".html", ".txt"))

    assert "Not signed yet." in page.read_text()
    room.run(hand_over.sign(OMAR, made.hand_over_id))

    for file in (page, plain):
        content = file.read_text()
        assert "Taken over by omar at Desk 2" in content
        assert made.sha256 in content
    assert to_text(made.content) in plain.read_text()


def test_a_report_whose_files_cannot_be_written_is_kept_all_the_same(room, hand_over):
    (room.folder / "reports").write_text("a file where the folder should be")

    with pytest.raises(UnavailableError, match="is kept"):
        room.run(hand_over.hand_over(OLGA))

    assert len(room.run(hand_over.recent())) == 1
