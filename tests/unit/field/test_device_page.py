import json
from datetime import UTC, datetime, timedelta

from core.field.inbox import Inbound
from core.field.kinds import find_kinds
from core.field.messages import RAW_BYTES, Messages
from core.field.model import Reading
from core.field.rows import insert_readings
from core.field.sheet import N_SLOTS
from tests.unit.field.test_service import on_site

STATION = find_kinds()["station"]
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def message(payload: bytes, tail="state/flow", device_id="station/s1", seconds=0):
    return Inbound(
        topic=f"watchfloor/v1/city/{device_id}/{tail}",
        payload=payload,
        qos=0,
        is_retained=False,
        received_at=NOW + timedelta(seconds=seconds),
    )


def envelope(**data):
    return json.dumps({"ts": "2026-01-01T12:00:00Z", "q": "uncertain", "seq": 7, "data": data}).encode()


def test_the_last_twenty_messages_are_kept_newest_first():
    messages = Messages()
    for number in range(25):
        messages.note("station/s1", message(envelope(intensity=number), seconds=number))

    kept = messages.of("station/s1", STATION)

    assert [one.at.second for one in kept] == list(range(24, 4, -1))


def test_a_message_is_shown_raw_and_as_it_was_read():
    messages = Messages()
    messages.note("station/s1", message(envelope(averageVehicleSpeed=41.62, note="roadworks")))

    (shown,) = messages.of("station/s1", STATION)

    assert shown.raw == envelope(averageVehicleSpeed=41.62, note="roadworks").decode()
    assert (shown.topic, shown.quality) == ("state/flow", "uncertain")
    assert ("note", "roadworks") in shown.meaning
    assert any(text.endswith("km/h") for _, text in shown.meaning)


def test_what_is_no_text_or_very_long_is_kept_readable_and_short():
    messages = Messages()
    messages.note("station/s1", message(b"\xff\xfe" + b"x" * 5000), "It is not UTF-8.")

    (shown,) = messages.of("station/s1", STATION)

    assert shown.raw.startswith("\\xff\\xfexxx")
    assert len(shown.raw) < RAW_BYTES + 10
    assert (shown.n_bytes, shown.reason) == (5002, "It is not UTF-8.")


def test_of_all_devices_together_the_oldest_go_first():
    messages = Messages(n_each=5, n_in_all=6)
    for number in range(4):
        messages.note("station/old", message(envelope(), seconds=number))
    for number in range(5):
        messages.note("station/new", message(envelope(), seconds=number))

    assert len(messages.of("station/old", STATION)) == 1
    assert len(messages.of("station/new", STATION)) == 5


def test_a_bad_message_stands_there_with_its_reason(tmp_path):
    async def body(site):
        site.hear("state/flow", data={"intensity": 3})
        site.clock.advance(seconds=1)
        site.hear("state/flow", data={"intensity": "many"})

        bad, good = site.service.messages("station/s1")

        assert "intensity" in bad.reason
        assert good.reason == ""

    on_site(tmp_path, body)


def test_what_a_device_offers_comes_from_its_birth(tmp_path):
    async def body(site):
        site.hear("birth", commands=[{"name": "set-period", "params": {"period_s": {"type": "number"}}}], battery=81)
        site.hear("state/flow", data={"averageVehicleSpeed": 50.0})

        sheet = site.service.sheet("station/s1")

        assert [(one.name, list(one.params)) for one in sheet.commands] == [("set-period", ["period_s"])]
        assert [(one.stream, one.unit) for one in sheet.quantities] == [("flow", "km/h")]
        assert sheet.more["battery"] == "81"

    on_site(tmp_path, body)


def test_a_history_says_where_nothing_was_heard_and_what_came_late(tmp_path):
    async def body(site):
        site.hear("state/flow", data={"averageVehicleSpeed": 50.0})
        now = site.clock.now()
        ages_min = {50: True, 49: True, 6: False, 5: False}
        readings = [
            Reading(
                device_id="station/s1",
                stream="flow",
                at=now - timedelta(minutes=age),
                values={"averageVehicleSpeed": float(age)},
                is_history=is_late,
            )
            for age, is_late in ages_min.items()
        ]
        await site.store.write(lambda session: insert_readings(session, readings))

        history = await site.service.quantity_history("station/s1", "flow", "averageVehicleSpeed", span_s=3600.0)

        assert [(slot.mean, slot.is_late) for slot in history.slots] == [(50, True), (49, True), (6, False), (5, False)]
        assert history.slot_s == 3600.0 / N_SLOTS
        steps_s = [
            (after.start - before.start).total_seconds()
            for before, after in zip(history.slots, history.slots[1:], strict=False)
        ]
        assert [step > history.gap_s for step in steps_s] == [False, True, False]

    on_site(tmp_path, body)


def test_a_removed_devices_messages_are_let_go():
    messages = Messages()
    messages.note("station/s1", message(envelope()))

    messages.forget("station/s1")
    messages.note("station/s2", message(envelope()))

    assert messages.of("station/s1", STATION) == []
    assert len(messages._kept) == 1
