"""Boxes and labels, looked at pixel by pixel: they are painted from memory that Qt and numpy share."""

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from widgets.base.theme import picture_look
from widgets.video.boxes import Boxed, BoxPainter, BoxRoom
from widgets.video.model import NO_TRACKS, DrawnTracks

GROUND = QColor(0x60, 0x60, 0x60)
PICTURE = QRectF(0, 0, 400, 200)


def tracks(*labels_and_boxes, opacities=(), first_id=1):
    labels = tuple(label for label, _ in labels_and_boxes)
    boxes = np.array([box for _, box in labels_and_boxes], np.float32).reshape(-1, 4)
    scale = np.array([400, 200, 400, 200], np.float32)
    ids = tuple(range(first_id, first_id + len(labels)))
    return DrawnTracks(track_ids=ids, labels=labels, boxes=boxes / scale, opacities=opacities)


class Sheet:
    def __init__(self, ratio=1.0):
        self.boxes = BoxPainter(picture_look(), ratio)
        self.ratio = ratio

    def paint(self, drawn, picture=PICTURE, **choice):
        image = QImage(round(400 * self.ratio), round(200 * self.ratio), QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(self.ratio)
        image.fill(GROUND)
        painter = QPainter(image)
        room = BoxRoom(picture=picture, room=PICTURE, **{"has_ids": False, "is_small": True, **choice})
        self.boxes.paint(painter, self.boxes.place([Boxed(drawn, room)]), 0)
        painter.end()
        return image


def colored(image, token):
    """Return places of a colour, as (x, y)."""
    wanted = QColor(picture_look().color(token)).rgb()
    return {(x, y) for x in range(image.width()) for y in range(image.height()) if image.pixel(x, y) == wanted}


def outline(x1, y1, x2, y2):
    across = {(x, y) for x in range(x1, x2 + 1) for y in (y1, y2)}
    return across | {(x, y) for x in (x1, x2) for y in range(y1, y2 + 1)}


def test_a_car_is_a_thin_frame_on_a_dark_one(qapp):
    image = Sheet().paint(tracks(("car", (100, 50, 160, 90))))

    assert colored(image, "track_car") == outline(100, 50, 160, 90)
    dark = {image.pixelColor(x, 70).name() for x in (99, 101, 159, 161)}
    assert dark == {QColor(picture_look().theme.picture).name()}
    assert image.pixelColor(98, 70) == image.pixelColor(102, 70) == GROUND


def test_a_bus_carries_a_bar_and_classes_do_not_mix(qapp):
    image = Sheet().paint(
        tracks(
            ("car", (20, 20, 60, 60)),
            ("bus", (100, 50, 160, 90)),
            ("car", (300, 20, 340, 60)),
            ("cow", (20, 120, 60, 160)),
        )
    )

    bar = {(x, y) for x in range(100, 161) for y in (49, 50, 51)}
    assert colored(image, "track_bus") == outline(100, 50, 160, 90) | bar
    assert colored(image, "track_car") >= outline(20, 20, 60, 60) | outline(300, 20, 340, 60)
    assert colored(image, "track_other") >= outline(20, 120, 60, 160)


def test_two_wheelers_are_four_corners(qapp):
    found = colored(Sheet().paint(tracks(("bicycle", (100, 50, 140, 110)))), "track_two_wheeler")

    assert {(100, 50), (140, 50), (100, 110), (140, 110), (112, 50), (100, 62)} <= found
    assert not {(120, 50), (100, 80), (140, 80), (120, 110)} & found


def test_what_is_hidden_or_outside_of_the_picture_leaves_nothing(qapp):
    drawn = tracks(("car", (20, 20, 60, 60)), ("bus", (100, 50, 160, 90)), ("bus", (-90, 50, -20, 90)))

    assert not colored(Sheet().paint(drawn, hidden_labels=frozenset({"bus"})), "track_bus")
    assert colored(Sheet().paint(drawn), "track_bus") >= outline(100, 50, 160, 90)
    assert min(x for x, _ in colored(Sheet().paint(drawn), "track_bus")) == 100
    empty = Sheet().paint(NO_TRACKS)
    assert {empty.pixel(x, 50) for x in range(400)} == {GROUND.rgb()}


def test_what_fades_is_painted_fainter_and_the_rest_is_not(qapp):
    drawn = tracks(("car", (20, 20, 60, 60)), ("car", (100, 50, 160, 90)), opacities=(1.0, 0.5))
    image = Sheet().paint(drawn)

    assert colored(image, "track_car") == outline(20, 20, 60, 60)
    faint = image.pixelColor(100, 70)
    assert faint not in (GROUND, QColor(picture_look().color("track_car")))


def test_what_faded_and_is_seen_again_is_painted_as_before(qapp):
    sheet, boxes = Sheet(), (("car", (20, 20, 60, 60)), ("bus", (100, 50, 160, 90)))
    before = sheet.paint(tracks(*boxes))
    assert sheet.paint(tracks(*boxes, opacities=(1.0, 0.5))) != before

    assert sheet.paint(tracks(*boxes)) == before


def test_more_boxes_than_before_and_then_fewer(qapp):
    sheet = Sheet()
    few = tracks(("car", (20, 20, 60, 60)))
    before = sheet.paint(few)
    many = [("car", (x, y, x + 6, y + 6)) for x in range(0, 390, 20) for y in range(10, 190, 20)]
    assert len(colored(sheet.paint(tracks(*many)), "track_car")) >= len(many) * 20

    assert sheet.paint(few) == before


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_labels_stay_right_when_numbers_rise_for_weeks(qapp, ratio):
    sheet = Sheet(ratio)
    for number in range(0, 6000, 40):
        many = [("truck", (x, 100, x + 80, 140)) for x in range(0, 320, 8)]
        sheet.paint(tracks(*many, first_id=number), has_ids=True, is_small=False)
    drawn = tracks(("truck", (100, 50, 200, 90)), first_id=77)

    old = sheet.paint(drawn, has_ids=True, is_small=False)

    assert old == Sheet(ratio).paint(drawn, has_ids=True, is_small=False)
    assert colored(old, "track_truck")


def test_a_label_stands_above_its_box_and_inside_where_there_is_no_room_above(qapp):
    text = picture_look().color("on_picture").name()

    def rows(top):
        image = Sheet().paint(tracks(("car", (100, top, 200, top + 60))), has_ids=True)
        return [y for y in range(200) if any(image.pixelColor(x, y).name() == text for x in range(100, 140))]

    assert rows(80)
    assert max(rows(80)) < 80
    assert min(rows(2)) > 2


def test_no_label_begins_below_what_covers_the_top_of_its_room(qapp):
    text = picture_look().color("on_picture").name()

    def rows(top):
        image = Sheet().paint(tracks(("car", (100, top, 200, top + 60))), has_ids=True, covered_px=24)
        return [y for y in range(200) if any(image.pixelColor(x, y).name() == text for x in range(100, 140))]

    assert min(rows(2)) >= 24
    assert min(rows(30)) >= 30, "there is no room above between the box and what covers it"
    assert max(rows(80)) < 80


def test_a_label_wider_than_its_room_is_left_out_wherever_the_room_is(qapp):
    text = picture_look().color("on_picture").name()

    def n_written(room):
        sheet, image = Sheet(), QImage(400, 200, QImage.Format.Format_RGB32)
        image.fill(GROUND)
        painter = QPainter(image)
        drawn = DrawnTracks(track_ids=(1000,), labels=("truck",), boxes=np.array([[0.0, 0.4, 1.0, 0.9]], np.float32))
        sheet.boxes.paint(painter, sheet.boxes.place([Boxed(drawn, BoxRoom(picture=room, room=room))]), 0)
        painter.end()
        return sum(image.pixelColor(x, y).name() == text for x in range(400) for y in range(200))

    assert n_written(QRectF(100, 0, 200, 200)) > 0
    assert n_written(QRectF(370, 0, 20, 200)) == n_written(QRectF(0, 0, 20, 200)) == 0


def test_a_label_at_the_right_edge_is_moved_in_so_that_it_can_be_read(qapp):
    sheet = Sheet()
    text = picture_look().color("on_picture").name()

    def n_written(left):
        drawn = tracks(("car", (left, 100, left + 150, 160)), first_id=1000)
        image = sheet.paint(drawn, has_ids=True, is_small=False)
        return sum(image.pixelColor(x, y).name() == text for x in range(400) for y in range(70, 98))

    assert n_written(352) == n_written(100) > 0


def test_pictures_that_are_placed_together_keep_their_own_boxes_and_choices(qapp):
    sheet, image = Sheet(), QImage(400, 200, QImage.Format.Format_RGB32)
    image.fill(GROUND)
    drawn = tracks(("car", (20, 20, 60, 60)), ("bus", (100, 50, 160, 90)))
    left, right = QRectF(0, 0, 200, 200), QRectF(200, 0, 200, 200)
    rooms = [
        BoxRoom(picture=left, room=left, has_ids=False, is_small=True),
        BoxRoom(picture=right, room=right, has_ids=False, is_small=True, hidden_labels=frozenset({"bus"})),
    ]
    placed = sheet.boxes.place([Boxed(drawn, room) for room in rooms])
    painter = QPainter(image)
    for at in range(2):
        sheet.boxes.paint(painter, placed, at)
    painter.end()

    assert colored(image, "track_car") == outline(10, 20, 30, 60) | outline(210, 20, 230, 60)
    assert max(x for x, _ in colored(image, "track_bus")) == 80


def test_texts_follow_the_choice(qapp):
    drawn = tracks(("car", (100, 50, 220, 90)), ("car", (300, 50, 303, 52)), first_id=7)

    def plate_px(**choice):
        image = Sheet().paint(drawn, is_small=False, **choice)
        assert image.pixelColor(301, 46) == GROUND, "a box that is too small carries no label"
        return next(n for n in range(150) if image.pixelColor(100 + n, 46) == GROUND)

    assert plate_px(has_ids=True) > plate_px(has_ids=False) > 0
