"""The alarm list as an operator sees and uses it."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QEvent, QIODevice, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont, QFontMetrics, QImage
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QLabel

from core.incidents.flood import NO_FLOOD, Flood, looked_at
from core.incidents.model import Priority, Quality
from core.kernel.clock import FakeClock
from tests.gui.alarms.making import make_alarm
from widgets.alarms.delegates import second_line
from widgets.alarms.flood_bar import FloodBar
from widgets.alarms.list import AlarmList
from widgets.alarms.strip import AlarmStrip, StripCell
from widgets.alarms.table_model import PLACE_ROLE, AlarmTableModel, Column
from widgets.base.state_overlay import PanelState
from widgets.base.symbols import flash_at
from widgets.base.theme import DARK, apply_theme, look


class Desk:
    """A list, its clock, and everything it ever asked for."""

    def __init__(self, alarms, clock):
        self.list, self.clock = alarms, clock
        self.acknowledged, self.comments, self.gone_to, self.counts, self.selected, self.snapshots = (
            [] for _ in range(6)
        )
        alarms.acknowledge_requested.connect(lambda *args: self.acknowledged.append(args))
        alarms.comment_requested.connect(lambda *args: self.comments.append(args))
        alarms.goto_requested.connect(lambda alarm: self.gone_to.append(alarm.alarm_id))
        alarms.counts_changed.connect(self.counts.append)
        alarms.selection_changed.connect(lambda alarm: self.selected.append(alarm.alarm_id if alarm else None))
        alarms.snapshot_requested.connect(lambda *args: self.snapshots.append(args))

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.list.table, key, modifier)

    def rows(self):
        return [self.list.model.alarm_at(row).alarm_id for row in range(self.list.model.rowCount())]

    def text(self, row, column):
        return self.list.model.index(row, column).data()

    def selection(self):
        return [alarm.alarm_id for alarm in self.list.selected_alarms()]


@pytest.fixture
def desk(qtbot):
    clock = FakeClock()
    alarms = AlarmList(clock)
    qtbot.addWidget(alarms)
    alarms.resize(1200, 500)
    alarms.show()
    qtbot.waitExposed(alarms)
    alarms.activateWindow()
    alarms.table.setFocus()
    return Desk(alarms, clock)


def three(desk):
    desk.list.show_alarms(
        [
            make_alarm("low", Priority.LOW),
            make_alarm("critical", Priority.CRITICAL),
            make_alarm("acked", Priority.HIGH, is_acknowledged=True),
        ]
    )


def test_the_most_urgent_alarm_stands_on_top_with_all_that_matters(desk):
    three(desk)

    assert desk.rows() == ["critical", "low", "acked"]
    assert [desk.text(0, column) for column in (Column.PRIORITY, Column.AGE, Column.SOURCE, Column.STATE)] == [
        "1",
        "00:01:00",
        "Harbour Road",
        "UNACK",
    ]
    assert desk.text(2, Column.STATE) == "ACKED"
    assert desk.text(2, Column.PERSON) == "dana"
    assert desk.counts[-1] == {Priority.CRITICAL: 1, Priority.HIGH: 0, Priority.MEDIUM: 0, Priority.LOW: 1}


def test_space_asks_for_an_acknowledge_of_this_very_occurrence(desk):
    three(desk)
    desk.list.select("critical")

    desk.press(Qt.Key.Key_Space)

    assert desk.acknowledged == [("critical", "occurrence-critical", 1, "")]


def test_an_acknowledge_is_shown_as_sent_until_the_row_changes(desk, qtbot):
    three(desk)
    desk.list.select("critical")

    desk.press(Qt.Key.Key_A)
    assert desk.text(0, Column.STATE) == "sent…"
    desk.clock.advance(seconds=6)
    assert desk.text(0, Column.STATE) == "sent, no answer"

    desk.list.show_changes([make_alarm("critical", Priority.CRITICAL, is_acknowledged=True, version=2)])
    qtbot.waitUntil(lambda: desk.rows() == ["low", "critical", "acked"])
    assert desk.text(1, Column.STATE) == "ACKED"


def test_pressing_twice_asks_once(desk):
    three(desk)
    desk.list.select("critical")

    desk.press(Qt.Key.Key_Space)
    desk.press(Qt.Key.Key_Space)

    assert len(desk.acknowledged) == 1


def test_a_refused_acknowledge_can_be_tried_again(desk):
    three(desk)
    desk.list.select("critical")
    desk.press(Qt.Key.Key_Space)

    desk.list.show_refused("critical")
    assert desk.text(0, Column.STATE) == "UNACK"
    desk.press(Qt.Key.Key_Space)

    assert len(desk.acknowledged) == 2


def test_what_is_acknowledged_is_not_asked_for_again(desk):
    three(desk)
    desk.list.select("acked")

    desk.press(Qt.Key.Key_Space)

    assert desk.acknowledged == []


def test_several_selected_alarms_are_acknowledged_together(desk):
    three(desk)
    desk.list.table.selectAll()

    desk.press(Qt.Key.Key_A)

    assert [asked[0] for asked in desk.acknowledged] == ["critical", "low"]


def test_shift_a_reaches_only_what_can_be_seen(desk):
    desk.list.show_alarms([make_alarm(f"a{i:03d}", age_s=i) for i in range(200)])
    visible = [alarm.alarm_id for alarm in desk.list.visible_alarms()]

    desk.press(Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)

    assert [asked[0] for asked in desk.acknowledged] == visible
    assert 5 < len(visible) < 30


def test_the_selection_stays_on_its_alarm_and_its_place_when_rows_arrive(desk, qtbot):
    desk.list.show_alarms([make_alarm(f"a{i:03d}", age_s=1000 + i) for i in range(100)])
    desk.list.select("a050")
    table = desk.list.table
    top = table.visualRect(table.currentIndex()).top()

    desk.list.show_changes([make_alarm(f"new{i}", Priority.CRITICAL, age_s=i) for i in range(30)])
    qtbot.waitUntil(lambda: desk.list.model.rowCount() == 130)

    assert desk.selection() == ["a050"]
    assert table.visualRect(table.currentIndex()).top() == top
    desk.press(Qt.Key.Key_Space)
    assert [asked[0] for asked in desk.acknowledged] == ["a050"]


def test_changes_of_100_ms_are_shown_together(desk, qtbot):
    three(desk)
    desk.counts.clear()

    for number in range(50):
        desk.list.show_changes([make_alarm(f"n{number}")])
    qtbot.waitUntil(lambda: desk.list.model.rowCount() == 53)

    assert len(desk.counts) == 1


def test_an_older_version_never_overwrites_a_newer_one(desk, qtbot):
    desk.list.show_alarms([make_alarm("a", is_acknowledged=True, version=5)])

    desk.list.show_changes([make_alarm("a", version=4), make_alarm("b")])
    qtbot.waitUntil(lambda: desk.list.model.rowCount() == 2)

    assert desk.list.model.alarm("a").version == 5


def test_a_closed_alarm_leaves_the_list_and_its_detail(desk, qtbot):
    three(desk)
    desk.list.select("critical")

    desk.list.show_changes([make_alarm("critical", is_active=False, is_acknowledged=True, version=2)])
    qtbot.waitUntil(lambda: desk.rows() == ["low", "acked"])

    assert desk.list.detail.alarm_id is None
    assert desk.selected[-1] is None


def test_n_and_p_go_round_the_unacknowledged_ones(desk):
    desk.list.show_alarms([make_alarm("a", age_s=1), make_alarm("b", age_s=2), make_alarm("c", is_acknowledged=True)])
    seen = []
    for key in (Qt.Key.Key_N, Qt.Key.Key_N, Qt.Key.Key_N, Qt.Key.Key_P):
        desk.press(key)
        seen += desk.selection()

    assert seen == ["a", "b", "a", "b"]


@pytest.mark.parametrize("key", [Qt.Key.Key_G, Qt.Key.Key_Return])
def test_an_alarm_leads_to_its_place(desk, key):
    three(desk)
    desk.list.select("low")

    desk.press(key)

    assert desk.gone_to == ["low"]


def test_m_asks_for_silence(desk, qtbot):
    with qtbot.waitSignal(desk.list.silence_requested):
        desk.press(Qt.Key.Key_M)


def test_a_comment_is_written_beside_the_list_and_sent_with_enter(desk, qtbot):
    three(desk)
    desk.list.select("critical")

    desk.press(Qt.Key.Key_C)
    qtbot.waitUntil(lambda: desk.list.detail._comment.hasFocus())
    QTest.keyClicks(QApplication.focusWidget(), "Unit 12 is going")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)

    assert desk.comments == [("critical", "occurrence-critical", 1, "Unit 12 is going")]
    assert desk.acknowledged == []
    assert desk.list.table.hasFocus()


def test_letters_typed_into_the_comment_are_no_commands(desk, qtbot):
    three(desk)
    desk.list.select("critical")
    desk.press(Qt.Key.Key_C)
    qtbot.waitUntil(lambda: desk.list.detail._comment.hasFocus())

    QTest.keyClicks(QApplication.focusWidget(), "a man gnaps m")

    assert desk.list.detail.comment_draft == "a man gnaps m"
    assert desk.acknowledged == []
    assert desk.gone_to == []


def test_a_draft_goes_with_the_acknowledge(desk, qtbot):
    three(desk)
    desk.list.select("critical")
    desk.press(Qt.Key.Key_C)
    qtbot.waitUntil(lambda: desk.list.detail._comment.hasFocus())
    QTest.keyClicks(QApplication.focusWidget(), "seen")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)

    desk.press(Qt.Key.Key_Space)

    assert desk.acknowledged == [("critical", "occurrence-critical", 1, "seen")]


def test_the_filter_hides_and_says_how_many(desk, qtbot):
    desk.list.show_alarms([make_alarm("a", source_name="Tunnel"), make_alarm("b")])

    desk.press(Qt.Key.Key_Slash)
    qtbot.waitUntil(lambda: desk.list._search.hasFocus())
    QTest.keyClicks(desk.list._search, "tunn")

    assert desk.rows() == ["a"]
    assert desk.list._summary.text() == "2 unacknowledged · 1 hidden"
    QTest.keyClicks(desk.list._search, "xyz")
    assert desk.list._overlay.sentence == "No alarm matches the filter."


def test_an_alarm_that_the_filter_hides_can_still_be_selected_from_elsewhere(desk):
    desk.list.show_alarms([make_alarm("a", source_name="Tunnel"), make_alarm("b")])
    desk.list._search.setText("tunnel")

    assert desk.list.select("b")

    assert desk.selection() == ["b"]


def test_an_empty_list_and_a_waiting_one_are_different_things(desk):
    assert desk.list._overlay.state is PanelState.LOADING

    desk.list.show_alarms([])

    assert desk.list._overlay.sentence == "No open alarms."


def test_rows_that_are_not_from_now_say_so(desk):
    three(desk)

    desk.list.show_stale("The node is gone since 14:03:11.", "It is looked for all the time.")
    assert desk.list._overlay.state is PanelState.STALE

    desk.list.show_current()
    assert desk.list._overlay.state is None


def jpeg():
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image = QImage(64, 36, QImage.Format.Format_RGB32)
    image.fill(0x808080)
    image.save(buffer, "JPG")
    return bytes(content.data())


def test_the_picture_is_asked_for_once_and_a_late_one_is_ignored(desk):
    three(desk)
    desk.list.select("critical")
    assert desk.snapshots == [("critical", "incident-critical")]

    desk.list.show_snapshot("low", jpeg())
    assert not desk.list.detail.has_picture
    desk.list.show_snapshot("critical", jpeg())
    assert desk.list.detail.has_picture
    desk.list.show_snapshot("critical", b"not a picture")
    assert not desk.list.detail.has_picture


def symbols_at(desk, now_s):
    """Return the symbols of all rows as they are painted at a monotonic time."""
    desk.list._priority_delegate.flash = flash_at(now_s, look())
    table = desk.list.table
    table.viewport().update()
    image = table.viewport().grab().toImage()
    rows = range(desk.list.model.rowCount())
    return [image.copy(table.visualRect(desk.list.model.index(row, Column.PRIORITY))) for row in rows]


def test_an_unacknowledged_symbol_flashes_and_an_acknowledged_one_does_not(desk):
    three(desk)

    bright, dark = symbols_at(desk, 0.0), symbols_at(desk, 0.5)

    assert [one != other for one, other in zip(bright, dark, strict=True)] == [True, True, False]


def test_what_is_over_is_an_outline_that_flashes_half_as_often_and_what_latches_flashes_as_before(desk):
    desk.list.show_alarms(
        [
            make_alarm("over", Priority.HIGH, age_s=1, is_active=False),
            make_alarm("latched", Priority.HIGH, age_s=2, is_active=False, is_latched=True),
            make_alarm("stands", Priority.HIGH, age_s=3),
        ]
    )

    over, latched, stands = zip(*(symbols_at(desk, half_s / 2) for half_s in range(4)), strict=True)

    assert over[0] == over[1] != over[2] == over[3]
    assert latched[0] == latched[2] != latched[1] == latched[3]
    assert latched == stands
    assert over[0] == latched[1], "outlined, in the hue of its priority"


def test_the_strip_flashes_as_the_list_does(qtbot, qapp):
    apply_theme(qapp, DARK, base_px=16)
    cell = StripCell(FakeClock())
    qtbot.addWidget(cell)
    cell.resize(400, cell.sizeHint().height())

    def seen_at(now_s, *, is_active):
        cell.show_alarm(make_alarm("a", is_active=is_active))
        cell.set_flash(flash_at(now_s, look()))
        return cell.grab().toImage()

    assert seen_at(0.0, is_active=True) != seen_at(0.5, is_active=True)
    assert seen_at(0.0, is_active=False) == seen_at(0.5, is_active=False) != seen_at(1.0, is_active=False)
    assert seen_at(0.0, is_active=False) != seen_at(0.0, is_active=True)


def test_with_reduced_motion_nothing_flashes(desk, qapp):
    apply_theme(qapp, DARK, base_px=16, is_reduced_motion=True)
    three(desk)
    desk.list.show_alarms([*desk.list.model.alarms, make_alarm("over", is_active=False)])

    seen = [symbols_at(desk, half_s / 2) for half_s in range(4)]

    assert all(one == seen[0] for one in seen)


def test_a_narrow_list_puts_the_detail_below(desk):
    desk.list.resize(600, 900)

    assert desk.list._splitter.orientation() is Qt.Orientation.Vertical
    assert not desk.list.table.isColumnHidden(Column.TITLE)
    assert not desk.list.table.isColumnHidden(Column.STATE)
    assert desk.list.table.isColumnHidden(Column.COMMENT)


def test_a_narrow_list_writes_the_source_below_the_title_instead_of_cutting_both(desk, qapp):
    desk.list.resize(2000, 400)
    three(desk)
    qapp.processEvents()
    one_line = desk.list.table.rowHeight(0)
    assert not desk.list.table.isColumnHidden(Column.SOURCE)

    desk.list.resize(420, 400)
    qapp.processEvents()

    assert desk.list.table.isColumnHidden(Column.SOURCE)
    assert desk.list.table.rowHeight(0) > one_line * 1.3


LONG = "Flood warning for harbour and Riverside"


def flood_in_a_narrow_list(desk, qapp, n_alarms=40):
    """Show a flood as a screen of 1280 by 800 leaves room for it."""
    alarms = [make_alarm(f"a{i:02}", Priority.HIGH, age_s=600 - i, title=LONG) for i in range(n_alarms)]
    desk.list.resize(390, 260)
    desk.list.show_alarms(alarms)
    desk.list.show_flood(looked_at(NO_FLOOD, alarms, desk.clock.now()))
    qapp.processEvents()


def test_titles_are_read_whole_in_a_list_as_narrow_as_at_1280(desk, qapp):
    flood_in_a_narrow_list(desk, qapp)
    table = desk.list.table
    metrics = QFontMetrics(look().font(weight=QFont.Weight.DemiBold))

    further_in = 5 * look().sizes.gap
    assert table.columnWidth(Column.TITLE) - further_in >= metrics.horizontalAdvance(LONG)


def test_state_and_age_stand_below_the_title_where_they_have_no_column(desk, qapp):
    flood_in_a_narrow_list(desk, qapp)
    assert desk.list.table.isColumnHidden(Column.STATE)
    assert desk.list.table.isColumnHidden(Column.AGE)

    first, state = desk.list.model.alarm_at(0), desk.text(0, Column.STATE)
    place = desk.list.model.index(0, 0).data(PLACE_ROLE)
    assert second_line(first, state, place, desk.clock.now()) == f"UNACK · 00:10:00 · first of 40 · {first.source_name}"
    assert second_line(first, "sent…", None, desk.clock.now()).startswith("sent… · ")


def test_no_row_is_cut_at_the_top_however_the_list_is_scrolled_or_rows_arrive(desk, qapp, qtbot):
    flood_in_a_narrow_list(desk, qapp)
    table, bar = desk.list.table, desk.list.table.verticalScrollBar()

    def top_of_the_first():
        return table.visualRect(desk.list.model.index(table.rowAt(0), 0)).top()

    for value in range(bar.minimum(), bar.maximum() + 1, max(1, bar.maximum() // 37)):
        bar.setValue(value)
        assert top_of_the_first() == 0
    desk.list.select("a21")
    assert top_of_the_first() == 0
    desk.list.show_changes([make_alarm(f"new{i}", Priority.CRITICAL, age_s=i) for i in range(7)])
    qtbot.waitUntil(lambda: desk.list.model.rowCount() == 47)
    assert top_of_the_first() == 0


def test_a_source_that_is_lost_is_told_to_a_screen_reader(desk):
    desk.list.show_alarms([make_alarm("a", Priority.MEDIUM, quality=Quality.STALE)])

    spoken = desk.list.model.index(0, Column.PRIORITY).data(Qt.ItemDataRole.AccessibleTextRole)

    assert spoken == "Priority 3, medium, unconfirmed, last known state"


def test_ten_thousand_alarms_are_no_burden(desk, qtbot):
    many = [make_alarm(f"a{i:05d}", Priority(i % 4 + 1), age_s=i) for i in range(10_000)]

    with qtbot.waitSignal(desk.list.counts_changed, timeout=2000):
        desk.list.show_alarms(many)
    desk.list.show_changes([replace(many[77], is_acknowledged=True, version=2)])
    qtbot.waitUntil(lambda: desk.list.model.alarm("a00077").is_acknowledged, timeout=2000)

    assert desk.list.model.rowCount() == 10_000


class Paints(QObject):
    """Counts how often a widget is painted."""

    def __init__(self, widget):
        super().__init__(widget)
        self.n_times = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.n_times += event.type() is QEvent.Type.Paint
        return False

    def have_settled(self):
        """Whether it was painted, and nothing more of it is asked for."""
        n_before = self.n_times
        QApplication.processEvents()
        return bool(n_before) and self.n_times == n_before


@pytest.mark.parametrize("width_px", [1200, 700])
def test_a_new_alarm_has_the_rows_painted_once_and_at_once(desk, qtbot, width_px):
    desk.list.resize(width_px, 500)
    desk.list.show_alarms([make_alarm("a"), make_alarm("b"), make_alarm("c", Priority.LOW)])
    desk.list._tick_timer.stop()
    paints = Paints(desk.list.table.viewport())
    qtbot.waitUntil(paints.have_settled)
    paints.n_times = 0

    desk.list.show_alarms([*desk.list.model.alarms, make_alarm("d", Priority.CRITICAL)])
    assert paints.n_times == 1
    QTest.qWait(50)

    assert paints.n_times == 1
    assert desk.rows()[0] == "d"


def test_the_model_keeps_the_rules_of_models(qtbot):
    model = AlarmTableModel(FakeClock())
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)

    model.replace([make_alarm("a"), make_alarm("b")])
    model.apply([make_alarm("c", Priority.CRITICAL)], ["a"])
    model.apply([make_alarm("a"), make_alarm("d", Priority.LOW), make_alarm("e", Priority.LOW, age_s=70.0)])
    assert [model.alarm_at(row).alarm_id for row in range(model.rowCount())] == ["c", "a", "b", "d", "e"]
    model.replace([])

    assert model.rowCount() == 0
    assert tester.model() is model


def test_alarms_that_come_among_others_move_no_index_to_another_alarm_and_change_what_else_they_change(qtbot):
    model = AlarmTableModel(FakeClock())
    model.replace([make_alarm("a", Priority.CRITICAL), make_alarm("m"), make_alarm("z", Priority.LOW)])
    kept = {name: QPersistentModelIndex(model.index(row, Column.TITLE)) for row, name in enumerate("amz")}
    inserted, changed, laid_out = [], [], []
    model.rowsInserted.connect(lambda _parent, first, last: inserted.append((first, last)))
    model.dataChanged.connect(lambda first, last, _roles: changed.append((first.row(), last.row())))
    model.layoutChanged.connect(lambda: laid_out.append(True))

    model.apply(
        [
            make_alarm("b", Priority.CRITICAL, age_s=70.0),
            make_alarm("m", version=2, title="Jam"),
            make_alarm("y", Priority.LOW, age_s=50.0),
            make_alarm("x", Priority.LOW, age_s=55.0),
        ]
    )

    assert [model.alarm_at(row).alarm_id for row in range(model.rowCount())] == list("abmyxz")
    assert {name: index.row() for name, index in kept.items()} == {"a": 0, "m": 2, "z": 5}
    assert (inserted, changed, laid_out) == ([(1, 1), (3, 4)], [(2, 2)], [])


def test_in_a_flood_the_head_of_a_group_says_its_new_number(qtbot):
    model = AlarmTableModel(FakeClock())
    model.group_by(lambda _alarm: "quay")
    model.replace([make_alarm("a", age_s=90.0), make_alarm("b")])
    changed = []
    model.dataChanged.connect(lambda first, last, _roles: changed.append((first.row(), last.row())))

    model.apply([make_alarm("c", age_s=50.0)])

    assert model.index(0, Column.TITLE).data().startswith("First of 3")
    assert changed == [(0, 0)]


# -- the strip


@pytest.fixture
def strip(qtbot):
    widget = AlarmStrip(FakeClock())
    qtbot.addWidget(widget)
    widget.resize(1200, 40)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_the_strip_shows_three_and_leads_to_them_by_click_and_key(strip):
    chosen = []
    strip.alarm_chosen.connect(lambda alarm: chosen.append(alarm.alarm_id))
    strip.show_alarms([make_alarm(f"a{i}", age_s=i) for i in range(9)])
    assert [alarm.alarm_id for alarm in strip.shown] == ["a0", "a1", "a2"]

    QTest.mouseClick(strip._cells[1], Qt.MouseButton.LeftButton)
    QTest.keyClick(strip._cells[2], Qt.Key.Key_Space)

    assert chosen == ["a1", "a2"]


@pytest.mark.parametrize(
    ("title", "source", "has_source"),
    [("Camera lost: Gate 14", "Gate 14", True), (LONG, "Regional Flood Office", False)],
)
def test_a_cell_of_the_strip_reads_its_title_whole_before_its_source(qtbot, title, source, has_source):
    cell = StripCell(FakeClock())
    qtbot.addWidget(cell)
    cell.show_alarm(make_alarm("one", title=title, source_name=source))
    cell.resize(345, 34)
    title_px = QFontMetrics(look().font()).horizontalAdvance(title)

    source_px = cell.source_room(280.0)

    assert (source_px > 0) is has_source
    assert not has_source or source_px + title_px <= 280.0


def test_a_quiet_strip_is_as_high_as_a_busy_one(strip):
    strip.show_alarms([make_alarm("a")])
    busy = strip.sizeHint().height()

    strip.show_alarms([make_alarm("a", is_acknowledged=True)])

    assert strip.shown == ()
    assert strip.sizeHint().height() == busy


@pytest.mark.parametrize("age_s", [59.0, 3723.0, 12 * 86_400.0])
def test_no_age_is_cut(desk, age_s):
    desk.list.show_alarms([make_alarm("old")])
    desk.clock.advance(seconds=age_s)
    view = desk.list.table

    assert view.columnWidth(Column.AGE) >= view.sizeHintForColumn(Column.AGE)


def test_the_detail_beside_a_narrow_list_is_not_cut(desk, qtbot):
    desk.list.resize(670, 260)
    desk.list.show_alarms([make_alarm("one")])
    desk.list.select("one")
    detail = desk.list._detail

    qtbot.waitUntil(lambda: detail.isVisible() and detail.widget().width() <= detail.viewport().width())


def test_a_flood_is_said_and_stands_alarms_together_without_hiding_any(desk):
    alarms = [make_alarm(f"a{i:02}", Priority.HIGH, age_s=60 - i) for i in range(12)]
    desk.list.show_alarms(alarms)
    desk.list.select("a05")

    desk.list.show_flood(looked_at(NO_FLOOD, alarms, desk.clock.now()))

    assert desk.list.flood_text.startswith("Flood: 12 alarms in 10 min, since ")
    assert desk.rows()[0] == "a00"
    assert desk.text(0, Column.TITLE) == "First of 12:  Congestion"
    assert len(desk.rows()) == 12
    assert desk.selection() == ["a05"]

    desk.list.show_flood(NO_FLOOD)
    assert desk.list.flood_text == ""
    assert desk.rows()[0] == "a11"


@pytest.mark.parametrize(("width_px", "is_advice_shown"), [(900, True), (760, False), (380, False)])
def test_a_flood_in_a_narrow_list_is_one_line_that_is_not_cut(qtbot, width_px, is_advice_shown):
    bar = FloodBar()
    qtbot.addWidget(bar)
    at = FakeClock().now()
    bar.show_flood(Flood(calls={("alarm", f"o-{number}", 1): at for number in range(17)}, since=at), "04:34:07")
    bar.resize(width_px, bar.sizeHint().height())
    bar.show()

    rate, advice = bar.findChildren(QLabel)
    assert advice.isVisible() is is_advice_shown
    assert rate.width() >= rate.sizeHint().width()
    assert "Nothing is hidden" in bar.accessibleName()
