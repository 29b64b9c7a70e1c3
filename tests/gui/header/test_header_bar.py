from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QToolButton

from core.access.model import Role, Session, User
from core.incidents.model import Priority
from core.kernel.clock import FakeClock
from core.kernel.zone import set_site_zone
from core.node.model import SiteInfo
from tests.gui.health.test_health_panel import health
from tests.gui.map.things import NOW, alarm, stream
from widgets.header.header_bar import HeaderBar


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def header(open_widget, clock):
    return open_widget(HeaderBar(clock), 1920, 48)


def session():
    user = User(user_id="u", name="dana", role=Role.OPERATOR)
    return Session(token="t", user=user, desk="3", expires_at=NOW)


def site(timezone):
    return SiteInfo(
        name="Marenholm",
        node_id="n",
        version="0.1",
        protocol=1,
        is_demo=False,
        is_ready=True,
        needs_administrator=False,
        timezone=timezone,
    )


@pytest.mark.parametrize(
    ("timezone", "text"),
    [
        ("Asia/Kolkata", "17:30:00 +05:30"),
        ("Atlantic/Azores", "11:00:00 -01:00"),
        ("Nowhere/At_all", "12:00:00 +00:00"),
    ],
)
def test_the_clock_tells_the_time_of_the_site_with_its_offset(header, timezone, text):
    set_site_zone(timezone)
    header.show_site(site(timezone))

    assert header.clock_text == text


def test_lamps_are_unknown_until_the_node_speaks_and_doubtful_when_it_falls_silent(header, clock):
    assert set(header.lamps.values()) == {"--"}
    header.show_health(health())
    assert header.lamps["broker"] == "connected, 2 ms"

    clock.advance(seconds=20)
    header.refresh()

    assert header.lamps == {
        "node": "silent",
        "broker": "was connected, 2 ms",
        "database": "was writing",
        "vision": "was running",
    }


def test_a_link_that_is_down_is_said_at_once(header):
    header.show_health(health())

    header.show_node_gone()

    assert header.lamps["node"] == "gone"


def test_only_what_nobody_acknowledged_is_counted(header):
    header.show_alarms((alarm(), alarm("b"), alarm("c", is_acknowledged=True), alarm("d", priority=Priority.LOW)))

    assert [header.count(priority) for priority in Priority] == [2, 0, 0, 1]


def test_a_count_leads_to_the_alarms_of_its_priority(header, qtbot):
    with qtbot.waitSignal(header.alarms_clicked) as caught:
        qtbot.mouseClick(header._counts[Priority.HIGH], Qt.MouseButton.LeftButton)

    assert caught.args == [2]


def test_a_lamp_leads_to_health_by_key(header, qtbot):
    with qtbot.waitSignal(header.health_clicked):
        qtbot.keyClick(header._lamps["broker"], Qt.Key.Key_Space)


def test_the_silence_of_a_desk_counts_down_and_can_be_ended(header, qtbot, clock):
    header.show_muted_until(NOW + timedelta(seconds=60))
    clock.advance(seconds=18)
    header.refresh()
    assert header.sound_text == "Muted 00:42"

    with qtbot.waitSignal(header.mute_requested) as caught:
        qtbot.mouseClick(header._sound, Qt.MouseButton.LeftButton)
    assert caught.args == [False]

    clock.advance(seconds=60)
    header.refresh()
    assert header.sound_text == "Sound on"


def test_a_missing_loudspeaker_is_said(header):
    header.show_sound_state("No sound: no audio device.")

    assert header.sound_text == "Sound fault"
    assert "no audio device" in header._sound.toolTip()


def test_who_sits_where_is_shown_and_can_sign_out(header, qtbot):
    header.show_session(session())
    assert header._operator.text() == "dana, operator, desk 3"

    with qtbot.waitSignal(header.sign_out_requested):
        next(action for action in header._operator.menu().actions() if action.text() == "Sign out").trigger()


def test_a_theme_and_a_size_can_be_chosen(header, qtbot):
    actions = {action.data(): action for action in header._look_button.menu().actions()}
    with qtbot.waitSignal(header.theme_requested) as theme:
        actions["day"].trigger()
    with qtbot.waitSignal(header.scale_requested) as scale:
        actions[1.5].trigger()

    assert (theme.args, scale.args) == (["day"], [1.5])


def test_everything_fits_into_1280_pixels_even_when_all_is_wrong(header, clock):
    header.show_session(session())
    header.show_health(health())
    header.show_streams({"a": stream("a")})
    header.show_muted_until(NOW + timedelta(hours=1))
    clock.advance(seconds=20)
    header.refresh()

    header.resize(1280, 48)

    assert header.minimumSizeHint().width() <= 1280


def test_at_1280_pixels_no_lamp_and_no_count_is_cut(header, qapp):
    header.show_session(session())
    header.show_health(health())
    header.show_sound_state("No sound: no audio device.")
    header.add_menu("Panels", QMenu(header))

    header.resize(1280, 48)
    qapp.processEvents()

    gauges = [*header._lamps.values(), *header._counts.values()]
    assert all(gauge.width() >= gauge.sizeHint().width() for gauge in gauges)
    buttons = [button for button in header.findChildren(QToolButton) if button.isVisible()]
    assert all(button.width() >= button.sizeHint().width() for button in buttons)
    assert header._site.width() > 100


def test_a_clock_that_is_wrong_is_said_below_the_time_until_it_is_right(header):
    date = header.date_text

    header.show_clock_fault("2 min slow")
    assert header.date_text == "clock 2 min slow"

    header.show_clock_fault("")
    assert header.date_text == date
