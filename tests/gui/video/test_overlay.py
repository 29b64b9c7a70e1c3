"""Names, counts and numbers on pictures of the sizes that a wall has."""

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetrics, QImage, QPainter

from core.vision.model import CountLine, Scene, Zone
from widgets.base.theme import MIN_TEXT_PX, picture_look
from widgets.video.boxes import Boxed, BoxPainter, BoxRoom
from widgets.video.model import DrawnTracks
from widgets.video.overlay import SMALL_PX, OverlayPainter

SCENE = Scene(
    zones=(
        Zone(key="deck", name="Carriageway", polygon=((0.2, 0.4), (0.8, 0.4), (0.8, 0.8), (0.2, 0.8))),
        Zone(key="bus", name="Bus lane", polygon=((0.3, 0.4), (0.7, 0.4), (0.7, 0.8), (0.3, 0.8))),
    ),
    lines=(CountLine(key="line", name="Bridge deck", start=(0.2, 0.6), end=(0.8, 0.6)),),
)
COUNTS = {"line": {"forward": 12, "backward": 7}, "deck": {"inside": 3}}


class Canvas:
    """An overlay on a grey picture of a given width; remembers the texts of the plates."""

    def __init__(self, width):
        self.picture = QRectF(0, 0, width, width * 9 / 16)
        self.image = QImage(width, round(width * 9 / 16), QImage.Format.Format_RGB32)
        self.image.fill(0x606060)
        self.painter = OverlayPainter(picture_look(), 1.0)

    @property
    def texts(self):
        return {text for text, _ in self.painter._plates}

    def show_scene(self, counts=COUNTS, **choice):
        painter = QPainter(self.image)
        self.painter.paint_scene(painter, SCENE, counts, self.picture, self.picture, **choice)
        painter.end()
        return self.texts

    def label_of(self, width):
        """Return the label of a car that is as wide as this part of the picture."""
        boxes = np.array([(0.4, 0.4, 0.4 + width, 0.6)], np.float32)
        tracks = DrawnTracks(track_ids=(17,), labels=("car",), boxes=boxes)
        painter, boxes = QPainter(self.image), BoxPainter(picture_look(), 1.0)
        room = BoxRoom(picture=self.picture, room=self.picture, is_small=self.picture.width() < SMALL_PX)
        boxes.paint(painter, boxes.place([Boxed(tracks, room)]), 0)
        painter.end()
        return self.plate_above(0.4, 0.4)

    def plate_above(self, x, y):
        """Return which of the labels is as wide as the plate that stands above the corner of a box."""
        left, row = round(x * self.picture.width()), round(y * self.picture.height()) - 3
        ground = self.image.pixel(2, row)
        width = next(n for n in range(self.image.width()) if self.image.pixel(left + n, row) == ground)
        made, is_small = picture_look(), self.picture.width() < SMALL_PX
        metrics = QFontMetrics(made.font(MIN_TEXT_PX if is_small else made.sizes.caption))
        gap = made.sizes.gap // 2 if is_small else made.sizes.gap
        figures = metrics.horizontalAdvance("1") + metrics.horizontalAdvance("7") + 2 * gap + 2
        return {figures + metrics.horizontalAdvance("car "): "car 17", figures: "17"}.get(width, "")


@pytest.mark.parametrize(
    ("counts", "wide", "small"),
    [
        ({"forward": 12, "forward (people)": 4}, "Bridge deck  forward 12  forward (people) 4", "12  4 people"),
        ({"forward (people)": 4, "backward (people)": 2}, None, "4 / 2 people"),
    ],
)
def test_people_over_a_line_stand_apart_from_vehicles(counts, wide, small):
    assert small in Canvas(240).show_scene({"line": counts}, is_selected=False)
    if wide is not None:
        assert wide in Canvas(1280).show_scene({"line": counts}, is_selected=True)


def test_a_small_picture_shows_the_counts_of_its_lines_and_no_names(qapp):
    assert Canvas(224).show_scene() == {"12 / 7"}


def test_counts_of_a_day_of_which_minutes_are_missing_are_shown_as_the_least(qapp):
    people = {"line": COUNTS["line"] | {"forward (people)": 4}}

    assert Canvas(224).show_scene(people, gaps={"line": 3}) == {"\u2265 12 / \u2265 7  \u2265 4 people"}
    assert "Bridge deck  forward \u2265 12  backward \u2265 7" in Canvas(900).show_scene(gaps={"line": 3})


def test_the_mark_of_missing_minutes_comes_and_goes_with_them(qapp):
    canvas = Canvas(224)

    assert [canvas.show_scene(gaps=gaps) for gaps in ({}, {"line": 1}, {"other": 1})] == [
        {"12 / 7"},
        {"\u2265 12 / \u2265 7"},
        {"12 / 7"},
    ]


def test_a_small_picture_shows_names_once_it_is_selected(qapp):
    texts = Canvas(336).show_scene(is_selected=True)

    assert {"Bridge deck  12 / 7", "Carriageway  3", "Bus lane"} <= texts


def test_a_large_picture_says_which_way_was_counted(qapp):
    assert "Bridge deck  forward 12  backward 7" in Canvas(900).show_scene()


def test_counts_that_were_passed_long_ago_take_no_memory(qapp):
    canvas = Canvas(900)
    for n in range(300):
        texts = canvas.show_scene({"line": {"forward": n, "backward": 7}, "deck": {"inside": n % 7}})

    assert texts == {"Bridge deck  forward 299  backward 7", "Carriageway  5", "Bus lane"}


@pytest.mark.parametrize("width", [224, 336, 480, 900])
def test_plates_never_cover_each_other_and_stay_on_the_picture(qapp, width):
    canvas = Canvas(width)
    canvas.show_scene(is_selected=True)
    taken = canvas.painter._taken

    assert taken
    assert not any(a.intersects(b) for i, a in enumerate(taken) for b in taken[:i])
    assert all(canvas.picture.adjusted(-1, -1, 1, 1).contains(plate) for plate in taken)


@pytest.mark.parametrize(
    ("picture_width", "width", "label"), [(900, 0.2, "car 17"), (900, 0.02, "17"), (224, 0.2, "17"), (224, 0.03, "")]
)
def test_a_label_is_shortened_and_then_left_out_before_it_hides_the_neighbours(qapp, picture_width, width, label):
    assert Canvas(picture_width).label_of(width) == label
