from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea

from core.field.model import FieldLosses, LinkReport, LinkState
from core.gateway.adapter import AdapterReport
from core.kernel.clock import FakeClock
from core.media.model import StreamState
from core.node.model import Health, SystemNotice, UnstoredCall, WorkerReport
from core.vision.model import EngineInfo
from tests.gui.map.things import NOW, stream
from widgets.base.conditions import Condition
from widgets.base.sparkline import History
from widgets.base.state_overlay import PanelState
from widgets.base.table import TextTable
from widgets.base.times import format_clock
from widgets.health.conditions import database_state, link_state, node_state, unstored_sentence, vision_state
from widgets.health.health_panel import HealthPanel

ENGINE = EngineInfo(
    engine="openvino",
    device="CPU",
    precision="FP16",
    model_name="demo-n",
    model_sha256="00",
    is_demonstration=True,
    input_wh=(640, 384),
    labels=("car",),
    reason="No CUDA device was found.",
)


def worker(**changes):
    usual = {"key": "vision-0", "state": "running", "pid": 17, "n_restarts": 0, "engine": ENGINE}
    return WorkerReport(**(usual | changes))


def health(**changes):
    usual = {
        "at": NOW,
        "node_pid": 1,
        "version": "0.1",
        "loop_lag_p99_ms": 3.0,
        "loop_lag_max_ms": 9.0,
        "database": "SQLite",
        "is_database_ok": True,
        "link": LinkReport(state=LinkState.CONNECTED, address="127.0.0.1:1883", round_trip_ms=1.8),
        "workers": (worker(),),
    }
    return Health(**(usual | changes))


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def panel(open_widget, clock):
    return open_widget(HealthPanel(clock), 1200, 800)


def test_before_the_node_spoke_everything_is_unknown(panel):
    assert panel.facts("node")["State"] == "--"
    assert panel.facts("broker")["Round trip"] == "--"
    assert panel._overlay.state is PanelState.LOADING


def test_what_was_lost_of_the_field_is_shown(panel):
    panel.show_health(health())
    assert panel.facts("broker")["Lost for good"] == "nothing"
    panel.show_health(health(losses=FieldLosses(n_events=2, n_readings=1200)))
    assert panel.facts("broker")["Lost for good"] == "2 events, 1,200 readings"
    panel.show_health(health(losses=FieldLosses(n_turned_away=7)))
    assert panel.facts("broker")["Lost for good"] == "0 events, 0 readings, 7 messages of too many devices"


def test_each_adapter_says_what_it_does_or_why_it_cannot(panel):
    frigate = AdapterReport(
        key="frigate", title="Frigate", note="2 objects in 1 places", n_messages=9, n_bad_messages=1
    )
    sparkplug = AdapterReport(key="sparkplug", title="Sparkplug B", reason="The broker does not let us read it.")
    panel.show_health(health(adapters=(frigate, sparkplug)))

    assert panel.facts("broker")["Frigate"] == "2 objects in 1 places; 9 messages, 1 unusable"
    assert panel.facts("broker")["Sparkplug B"] == "The broker does not let us read it."


def test_a_silent_node_makes_every_figure_old(panel, clock):
    panel.show_health(health())
    assert panel._overlay.state is None

    clock.advance(seconds=30)
    panel._refresh()

    assert panel._overlay.state is PanelState.STALE
    assert panel.facts("node")["State"] == "silent"
    assert panel.facts("broker")["State"] == "was connected, 2 ms"


def test_a_database_that_does_not_write_says_why(panel):
    panel.show_health(health(is_database_ok=False, database_reason="The disk is full."))

    assert panel.facts("database")["State"] == "not writing"
    assert panel._database._reason.text() == "The disk is full."


def test_the_demonstration_model_is_named_in_plain_words(panel):
    panel.show_health(health())

    assert "demonstration model" in panel.notices


def test_what_a_person_should_mend_comes_with_the_way_out(panel):
    notice = SystemNotice(key="audio", message="No sound output.", hint="Connect a loudspeaker.", since=NOW)
    panel.show_health(health(notices=(notice,), workers=()))

    assert panel.notices.startswith("No sound output. Connect a loudspeaker.")


def test_a_worker_that_is_being_restarted_has_no_process(panel):
    panel.show_health(health(workers=(worker(state="restarting", pid=None, n_restarts=2, engine=None),)))

    (line,) = panel._workers.lines
    assert line.cells[1:5] == ("restarting", "--", "2", "--")
    assert line.condition is Condition.WAITING


def test_streams_are_listed_by_the_name_of_their_camera(panel):
    panel.show_camera_names({"cam-1": "Mill Bridge"})
    panel.show_streams({"cam-1": stream(), "cam-2": stream("cam-2", StreamState.LOST, fps=25.0)})

    first, second = panel._stream_table.lines
    assert first.cells[:2] == ("Mill Bridge", "live")
    assert second.cells[6] == "--"


def test_what_decodes_is_said_with_its_reason_and_for_each_stream(panel):
    panel.show_health(health(decoder="software", decoder_reason="No graphics card that decodes video was found."))
    panel.show_streams({"cam-1": stream(decoder="cuda", is_sub=True), "cam-2": stream("cam-2", decoder="software")})

    facts = panel.facts("vision")
    assert facts["Decoding"] == "software"
    assert facts["Why this decoding"] == "No graphics card that decodes video was found."
    assert [line.cells[-2:] for line in panel._stream_table.lines] == [("cuda", "small"), ("software", "main")]


def test_the_lag_of_this_window_is_shown_beside_that_of_the_node(panel):
    panel.show_health(health())
    panel.show_console_lag(4.2, 31.0)

    assert panel.facts("console")["Lag, 99 of 100 below"] == "4.2 ms"
    assert panel.facts("node")["Longest lag"] == "9 ms"


@pytest.mark.parametrize(
    ("state", "condition"),
    [
        (LinkState.CONNECTED, Condition.OK),
        (LinkState.STALE, Condition.STALE),
        (LinkState.DOWN, Condition.LOST),
        (LinkState.REFUSED, Condition.LOST),
        (LinkState.CONNECTING, Condition.WAITING),
    ],
)
def test_every_state_of_the_link_has_its_symbol(state, condition):
    assert link_state(LinkReport(state=state, address="b")).condition is condition


def test_vision_counts_the_pictures_that_are_missing():
    streams = {"a": stream("a"), "b": stream("b", StreamState.LOST), "c": stream("c", StreamState.DISABLED)}

    assert vision_state(health(), streams).words == "1 of 2 live"


def test_a_word_nobody_knows_is_not_taken_for_well():
    assert vision_state(health(workers=(worker(state="melting"),)), {}).condition is Condition.LOST


def test_nothing_is_said_of_a_node_that_never_spoke():
    assert node_state(None, NOW).words == "--"
    assert database_state(None).words == "--"


def test_a_history_forgets_what_is_older_than_its_window():
    history = History(60.0)
    for second in range(100):
        history.add(float(second), 1.0)

    assert history.samples[0][0] == 39.0


def test_a_history_keeps_a_rush_of_samples_small_and_its_newest():
    history = History(60.0)
    for tick in range(10_000):
        history.add(tick * 0.01, float(tick))

    assert len(history.samples) < 300
    assert history.samples[-1][1] == 9999.0


def test_health_of_five_seconds_ago_still_counts():
    assert node_state(health(), NOW + timedelta(seconds=5)).condition is Condition.OK
    assert node_state(replace(health()), NOW + timedelta(seconds=6)).condition is Condition.LOST


@pytest.mark.parametrize("width", [340, 530, 1200])
def test_a_dock_of_any_width_shows_cards_and_tables_without_sideways_scrolling(panel, qapp, width):
    panel.show_health(health())
    panel.show_streams({"cam-1": stream()})
    panel.resize(width, 600)
    qapp.processEvents()

    scroll = panel.findChild(QScrollArea)
    assert scroll.widget().width() <= scroll.viewport().width()
    for table in panel.findChildren(TextTable):
        assert table.horizontalHeader().length() <= table.viewport().width()
        assert not table.isColumnHidden(0)
        assert not table.isColumnHidden(1)


def test_what_a_narrow_table_leaves_out_is_in_its_tip(panel, qapp):
    panel.show_streams({"cam-1": stream()})
    panel.resize(340, 600)
    qapp.processEvents()
    table = panel._stream_table

    assert table.isColumnHidden(5)
    assert "Codec: h264" in table.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)


def test_calls_that_no_list_can_show_yet_are_said_with_what_where_and_when():
    crash = UnstoredCall(title="Collision in Lane A", source_name="Ring North", at=NOW, priority=1)
    jam = UnstoredCall(title="Congestion in Lane B", source_name="Ring South", at=NOW, priority=3)

    assert unstored_sentence(health()) == ""
    assert unstored_sentence(health(unstored_calls=(crash,), n_unstored_calls=1)) == (
        f"One call is not listed yet: Collision in Lane A, Ring North, {format_clock(NOW)}."
    )
    assert unstored_sentence(health(unstored_calls=(crash, jam), n_unstored_calls=1200)) == (
        f"1,200 calls are not listed yet: Collision in Lane A, Ring North, {format_clock(NOW)}; "
        f"Congestion in Lane B, Ring South, {format_clock(NOW)}; and 1,198 more."
    )


def test_detection_by_the_demonstration_model_in_place_of_another_is_not_well():
    reason = "The model 'yolo11n' is not in /data. The demonstration model runs instead."

    state = vision_state(health(stand_in_reason=reason), {"cam-1": stream()})

    assert (state.condition, state.words, state.reason) == (Condition.STALE, "demonstration model", reason)
