"""Links to drones: they only listen, and where one sends that is red, counted and said wherever its drones are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton

from core.access.model import Role
from core.drones.model import ActiveProfile, DroneLink, LinkKind
from core.kernel.clock import FakeClock
from tests.fixtures.drones import NOW, drone, flying
from widgets.base.hold_button import HoldButton
from widgets.base.theme import look
from widgets.drones.history import QuantityHistory
from widgets.drones.link_list import LinkList
from widgets.drones.page import DronePage
from widgets.drones.strip import FleetStrip

ACTIVE = ActiveProfile(
    by="sven", reason="home is missing", since=NOW, until=NOW + timedelta(minutes=10), n_sent_before=100
)
PASSIVE_LINK = DroneLink(
    link_id="udp-14550", kind=LinkKind.UDP, address="udp:0.0.0.0:14550", is_open=True, heard_at=NOW
)
ACTIVE_LINK = replace(PASSIVE_LINK, active=ACTIVE, n_bytes_sent=1334)


def n_red(widget):
    """Return how many pixels are of the red that nothing else of a drone has."""
    image, red = widget.grab().toImage(), look().color("critical").rgb()
    return sum(image.pixel(x, y) == red for x in range(0, image.width(), 2) for y in range(0, image.height(), 2))


@pytest.fixture
def links(qtbot):
    links = LinkList()
    qtbot.addWidget(links)
    links.resize(360, 300)
    links.set_role(Role.SUPERVISOR)
    links.show_links((PASSIVE_LINK,), NOW)
    return links


def button(links, text):
    return next(one for one in links.findChildren(QPushButton) if one.text() == text)


def test_a_link_that_only_listens_says_so_quietly(links):
    assert links.rows == {"udp-14550": "udp-14550  heard 0.0 s ago"}
    assert n_red(links) == 0


def test_a_supervisor_lets_it_ask_by_a_reason_and_a_held_button_without_a_box(links, qtbot):
    wanted = []
    links.ask_wanted.connect(lambda *said: wanted.append(said))
    QTest.mouseClick(button(links, "Ask…"), Qt.MouseButton.LeftButton)
    hold = links.findChild(HoldButton)
    assert not hold.isEnabled(), "not without a reason"

    QTest.keyClicks(links.findChild(QLineEdit), "home is missing")
    QTest.keyClick(hold, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    assert wanted == [("udp-14550", "home is missing", 10)]


def test_an_operator_cannot_let_it_ask_and_can_end_it(links):
    silenced = []
    links.silence_wanted.connect(silenced.append)
    links.set_role(Role.OPERATOR)
    assert not button(links, "Ask…").isEnabled()

    links.show_links((ACTIVE_LINK,), NOW)
    QTest.mouseClick(button(links, "Only listen"), Qt.MouseButton.LeftButton)

    assert silenced == ["udp-14550"]


def test_a_link_that_sends_is_red_and_says_how_much_by_whom_and_until_when(links):
    links.show_links((ACTIVE_LINK,), NOW)

    row = links.rows["udp-14550"]
    assert "SENDS  1,234 bytes" in row, "what went out before counts for before"
    assert "sven: home is missing" in row
    assert n_red(links) > 200


def test_a_file_cannot_be_asked(links):
    links.show_links((replace(PASSIVE_LINK, kind=LinkKind.FILE),), NOW)

    assert not button(links, "Ask…").isVisible()


def test_card_page_and_bar_of_a_drone_that_is_asked_are_red_and_no_longer_once_it_is_over(qtbot):
    clock = FakeClock(NOW)
    strip, page = FleetStrip(clock), DronePage(QuantityHistory(), clock)
    for widget, size in ((strip, (360, 300)), (page, (1000, 700))):
        qtbot.addWidget(widget)
        widget.resize(*size)
        widget.show()
    strip.show_fleet({"d1": drone()}, {"d1": flying()})
    page.show_drone(drone(), flying())
    assert (n_red(strip), n_red(page)) == (0, 0)

    for widget in (strip, page):
        widget.show_links({"udp-14550": ACTIVE_LINK})
    assert strip.cards[0].sending == page.links.bars[0].sending == "SENDS  1,234 bytes"
    assert page.links.bars[1].sending == "", "the other link only listens"
    assert page.sending.startswith("Link udp-14550 SENDS to drones until")
    qtbot.waitUntil(lambda: n_red(strip) > 200)
    qtbot.waitUntil(lambda: n_red(page) > 1000)

    for widget in (strip, page):
        widget.show_links({"udp-14550": PASSIVE_LINK})
    assert (n_red(strip), n_red(page)) == (0, 0)
