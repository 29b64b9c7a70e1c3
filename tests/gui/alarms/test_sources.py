"""Choosing sources by what one types."""

import pytest
from PySide6.QtWidgets import QWidget

from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from widgets.alarms.sources import NamedSource, SourcePicker


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("gate 2", ["Gate 2"]),
        ("7k22", ["Gate 1"]),
        ("south", ["Gate 2"]),
        ("gate", ["Gate 1", "Gate 2"]),
    ],
)
def test_what_is_typed_is_a_name_a_site_or_a_larger_part_of_an_id(qtbot, typed, found):
    scope = QWidget()
    qtbot.addWidget(scope)
    picker = SourcePicker(scope, scope)
    picker.show_sources(
        NamedSource(source=Source(kind=SourceKind.CAMERA, source_id=source_id), name=name, site=site)
        for source_id, name, site in (("01M81R7K22PAVD6", "Gate 1", "North"), ("01M81RPAVDQQ9", "Gate 2", "South"))
    )

    picker._search.setText(typed)

    assert [one.name for one in picker._model.shown] == found
