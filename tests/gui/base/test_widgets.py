"""The small parts that every panel is made of."""

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from core.incidents.model import Priority
from core.kernel.clock import FakeClock
from widgets.base.banner import Banner
from widgets.base.hold_button import HoldButton
from widgets.base.icons import IconButton, icon_pixmap
from widgets.base.labels import AgeLabel, ElidedLabel
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.symbols import PrioritySymbol, paint_bad_quality, paint_priority
from widgets.base.theme import look
from widgets.base.times import format_age, format_raised
from widgets.base.toasts import Toasts


@pytest.fixture
def window(qtbot):
    widget = QWidget()
    widget.resize(800, 600)
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def painted(paint):
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(QColor("#000000"))
    painter = QPainter(image)
    paint(painter)
    painter.end()
    return image


def coverage(image):
    lit = sum(image.pixelColor(x, y).lightness() > 20 for x in range(40) for y in range(40))
    return lit / 1600


def test_priorities_differ_by_shape_alone():
    shapes = {}
    for priority in Priority:
        image = painted(lambda p, priority=priority: paint_priority(p, QRectF(0, 0, 40, 40), priority, look()))
        corners = tuple(image.pixelColor(x, y).lightness() > 20 for x, y in ((4, 4), (35, 4), (4, 36), (35, 36)))
        shapes[priority] = corners

    assert shapes[Priority.CRITICAL] == (True, True, True, True)
    assert shapes[Priority.HIGH] == (False, False, True, True)
    assert shapes[Priority.MEDIUM] == (True, True, False, False)
    assert shapes[Priority.LOW] == (False, False, False, False)


@pytest.mark.parametrize("priority", Priority)
def test_an_acknowledged_symbol_is_hollow(priority):
    filled = painted(lambda p: paint_priority(p, QRectF(0, 0, 40, 40), priority, look()))
    hollow = painted(lambda p: paint_priority(p, QRectF(0, 0, 40, 40), priority, look(), is_hollow=True))

    assert coverage(hollow) < coverage(filled) * 0.8


def test_bad_quality_is_painted_in_its_own_hue():
    image = painted(lambda p: paint_bad_quality(p, QRectF(0, 0, 40, 40), look()))
    hues = {
        image.pixelColor(x, y).hsvHue() for x in range(40) for y in range(40) if image.pixelColor(x, y).value() > 150
    }

    assert hues
    assert all(abs(hue - QColor(look().theme.quality).hsvHue()) < 8 for hue in hues)


def test_a_symbol_says_its_priority_to_a_screen_reader(qtbot):
    symbol = PrioritySymbol(Priority.HIGH)
    qtbot.addWidget(symbol)

    assert symbol.accessibleName() == "Priority 2, high"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0 s"), (0.12, "0.1 s"), (9.97, "10 s"), (59.4, "59 s"), (192, "00:03:12"), (187_800, "2 d 04:10")],
)
def test_ages_are_written_as_the_room_writes_them(seconds, text):
    assert format_age(seconds) == text


def test_a_time_of_another_day_shows_its_date():
    now = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

    assert format_raised(now - timedelta(minutes=1), now) == "11:59:00"
    assert format_raised(now - timedelta(days=1), now) == "03-03 12:00"


def test_an_age_label_grows_older(qtbot):
    clock = FakeClock()
    label = AgeLabel(clock=clock)
    qtbot.addWidget(label)
    assert label.text() == "--"

    label.show_at(clock.now())
    clock.advance(seconds=75)
    label.refresh()

    assert label.text() == "00:01:15"


def test_text_that_is_cut_is_offered_whole(qtbot):
    label = ElidedLabel("Harbour Road at the corner of Fifth Street")
    qtbot.addWidget(label)
    label.resize(80, 24)
    label.show()

    assert label.toolTip() == "Harbour Road at the corner of Fifth Street"
    label.resize(800, 24)
    qtbot.waitUntil(lambda: label.toolTip() == "")


@pytest.mark.parametrize("state", PanelState)
def test_an_overlay_covers_says_why_and_leaves_again(window, qtbot, state):
    overlay = StateOverlay(window)

    overlay.show_state(state, "The node is gone.", "It is looked for all the time.")
    window.resize(500, 400)
    qtbot.waitUntil(lambda: overlay.size() == window.size())
    before = window.grab().toImage()
    overlay.clear()

    assert overlay.accessibleName() == "The node is gone."
    assert not overlay.isVisible()
    assert window.grab().toImage() != before


def test_an_overlay_takes_no_clicks(window):
    overlay = StateOverlay(window)
    overlay.show_state(PanelState.STALE, "Old.")

    assert overlay.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)


def test_at_most_three_toasts_lie_in_the_lower_right_corner(window):
    toasts = Toasts(window, bottom_margin_px=50)
    for number in range(5):
        toasts.show_toast(f"Note {number}.", "A hint.")

    shown = [child for child in window.children() if child.property("role") == "toast" and child.isVisible()]

    assert toasts.shown == ("Note 2.", "Note 3.", "Note 4.")
    assert len(shown) == 3
    assert all(toast.geometry().right() <= window.width() for toast in shown)
    assert all(toast.geometry().bottom() <= window.height() - 50 for toast in shown)
    assert all(toast.geometry().left() >= window.width() // 3 for toast in shown)


def test_a_repeated_note_is_not_shown_twice(window):
    toasts = Toasts(window)
    toasts.show_toast("The row was refreshed.")
    toasts.show_toast("The row was refreshed.")

    assert toasts.shown == ("The row was refreshed.",)


@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Delete])
def test_a_toast_goes_away_by_key(window, key):
    toasts = Toasts(window)
    toasts.show_toast("Note.")
    toast = next(child for child in window.children() if child.property("role") == "toast")

    QTest.keyClick(toast, key)

    assert toasts.shown == ()


def test_a_toast_takes_no_focus_from_the_operator(window, qtbot):
    field = QLineEdit(window)
    field.show()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)

    Toasts(window).show_toast("Note.")

    assert field.hasFocus()


def test_slash_leads_to_the_filter_and_escape_back(window, qtbot):
    layout = QVBoxLayout(window)
    other = QLineEdit("x", window)
    other.setReadOnly(True)
    search = SearchField("Filter devices", window)
    layout.addWidget(other)
    layout.addWidget(search)
    queries = []
    search.query_changed.connect(queries.append)
    window.activateWindow()
    window.setFocus()

    QTest.keyClick(window, Qt.Key.Key_Slash)
    qtbot.waitUntil(search.hasFocus)
    QTest.keyClicks(search, " gate ")
    assert queries[-1] == "gate"
    QTest.keyClick(search, Qt.Key.Key_Escape)
    assert search.text() == ""
    with qtbot.waitSignal(search.left):
        QTest.keyClick(search, Qt.Key.Key_Escape)


def test_a_slash_can_be_typed_into_the_filter(window, qtbot):
    search = SearchField("Filter", window)
    search.show()
    search.setFocus()
    qtbot.waitUntil(search.hasFocus)

    QTest.keyClicks(search, "a/b")

    assert search.text() == "a/b"


def test_a_hold_button_acts_only_when_held(window, qtbot):
    button = HoldButton("Remove", window, hold_s=0.15)
    button.show()
    confirmed = []
    button.confirmed.connect(lambda: confirmed.append(1))

    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert confirmed == []
    QTest.mousePress(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: confirmed == [1])
    QTest.mouseRelease(button, Qt.MouseButton.LeftButton)
    QTest.keyPress(button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: confirmed == [1, 1])
    QTest.keyRelease(button, Qt.Key.Key_Space)
    QTest.keyClick(button, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert confirmed == [1, 1, 1]


def test_a_banner_stays_until_every_cause_is_gone(window):
    banner = Banner(window)
    banner.show_cause("disk", "Nothing is recorded: the disk is full.", "Free some space.")
    banner.show_cause("db", "The database is read-only.")

    assert banner.isVisible()
    assert banner.text == "Nothing is recorded: the disk is full. Free some space.  (and 1 more)"
    banner.clear_cause("disk")
    assert banner.text == "The database is read-only."
    banner.clear_cause("db")
    assert not banner.isVisible()


def test_a_missing_icon_becomes_a_letter_not_a_hole(qtbot):
    pixmap = icon_pixmap("no-such-icon", 32)
    image = pixmap.toImage()

    assert any(image.pixelColor(x, y).alpha() > 0 for x in range(32) for y in range(32))


def test_an_icon_button_can_be_reached_and_has_a_name(qtbot):
    button = IconButton("close", "Close the panel")
    qtbot.addWidget(button)

    assert button.accessibleName() == "Close the panel"
    assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
