"""What cameras cannot tell of a lot: asked while somebody looks, and said of that lot only."""

from datetime import UTC, datetime

import pytest
from PySide6.QtWidgets import QWidget

from app.sight_notes import SightNotes
from core.parking.sight.model import Looked
from tests.gui.app.test_room_panels import room  # noqa: F401 - a fixture

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MOVED = Looked(lot_id="quay", camera_id="mast", at=AT, trouble="The camera moved.", hint="Turn it back.", note="x")
CLEAR = Looked(lot_id="quay", camera_id="gate", at=AT)


class Page(QWidget):
    """A panel with a lot that is looked at."""

    def __init__(self, of_room):
        super().__init__()
        self.lot_id, self.said = "quay", []
        self.notes = SightNotes(of_room, self, lambda: self.lot_id, self.said.append)


@pytest.fixture
def page(room, qtbot):  # noqa: F811
    made = Page(room)
    qtbot.addWidget(made)
    return made


def test_the_trouble_of_a_view_comes_before_its_note_and_a_clear_view_says_nothing(page, room):  # noqa: F811
    page.show()
    page.notes.ask()
    room.answer("parking.views", [MOVED, CLEAR])

    assert page.said == [{"mast": "The camera moved. Turn it back.", "gate": ""}]


def test_an_answer_about_a_lot_that_nobody_looks_at_any_more_is_not_said_of_the_next(page, room):  # noqa: F811
    page.show()
    page.notes.ask()
    page.lot_id = "yard"
    room.answer("parking.views", [MOVED])

    assert page.said == []


def test_nothing_is_asked_while_nobody_looks(page, room):  # noqa: F811
    page.notes.ask()

    assert room.arguments_of("parking.views") == []
