"""The twin as an operator uses it, with the geometry and without anybody who draws."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PySide6.QtCore import QBuffer, QDateTime, QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from core.incidents.model import Priority
from core.parking.model import BayChange, BayState, BayStatus
from core.parking.plans import garage, open_lot
from widgets.base.symbols import AlarmMark, Attention
from widgets.base.theme import look
from widgets.twin import pose as poses
from widgets.twin.model import Built, Cone, Detail, End, Look, Picture, ShowBays, ShowLots, Shown
from widgets.twin.panel import Heat, ShareAhead, TwinPanel
from widgets.twin.scene import build_scene
from widgets.twin.tape import Mode
from widgets.twin.view import FLY_TO_BAY_M

NOW = datetime.now(UTC).replace(microsecond=0)
LOT = open_lot("west", "Lot West", n_bays=20)


def status(bay_id, state, *, lot_id="west", is_stale=False, reason=""):
    return BayStatus(
        lot_id=lot_id,
        bay_id=bay_id,
        state=state,
        since=NOW - timedelta(minutes=4),
        at=NOW - timedelta(seconds=20),
        confidence=0.92,
        source="camera:north",
        is_stale=is_stale,
        reason=reason,
    )


@pytest.fixture
def orders():
    return []


@pytest.fixture
def panel(qtbot, orders):
    made = TwinPanel()
    qtbot.addWidget(made)

    def obey(order):
        orders.append(order)
        if isinstance(order, ShowLots):
            made.show_built(Built(build_scene(order.lots), order.number))

    made.ordered.connect(obey)
    made.set_may_correct(True)
    made.resize(1100, 700)
    made.show()
    made.show_lots([LOT])
    made.show_statuses([status("A01", BayState.OCCUPIED), status("A02", BayState.FREE), status("A03", BayState.CLOSED)])
    made.view.fly_home()
    made.view.fly_to_at_once(made.view.pose)
    yield made
    made.close_timers()


def shown_of(panel, bay_id):
    return Shown(int(panel.view.bays_look.shown[panel.view.scene.index["west", bay_id]]))


def place_of(panel, bay_id):
    view = panel.view
    at, _ = poses.project(
        view.pose, view.scene.centres[[view.scene.index["west", bay_id]]], view.width(), view.height()
    )
    return QPoint(round(at[0][0]), round(at[0][1]))


def test_bays_look_as_they_are_known_and_unknown_where_nobody_spoke(panel):
    assert shown_of(panel, "A01") is Shown.OCCUPIED
    assert shown_of(panel, "A02") is Shown.FREE
    assert shown_of(panel, "A03") is Shown.CLOSED
    assert shown_of(panel, "A04") is Shown.UNKNOWN


def test_a_newer_state_reaches_the_scene_and_the_table(panel, orders):
    panel.update_statuses((status("A02", BayState.OCCUPIED),))

    assert shown_of(panel, "A02") is Shown.OCCUPIED
    assert isinstance(orders[-1], ShowBays)
    assert not orders[-1].is_at_once
    assert panel.table.texts_of(("west", "A02"))["State"] == "Occupied"


def test_what_is_stale_is_said_to_be(panel):
    panel.update_statuses((status("A01", BayState.OCCUPIED, is_stale=True),))

    assert bool(panel.view.bays_look.is_stale[panel.view.scene.index["west", "A01"]])
    assert panel.table.texts_of(("west", "A01"))["State"] == "Occupied, stale"


def test_a_click_on_a_bay_opens_its_card(panel, qtbot):
    picked = []
    panel.picked.connect(lambda *key: picked.append(key))

    QTest.mouseClick(panel.view, Qt.MouseButton.LeftButton, pos=place_of(panel, "A02"))

    assert picked == [("west", "A02")]
    assert panel.card.isVisible()
    facts = panel.card.facts.facts
    assert facts["State"] == "Free"
    assert facts["Source"] == "Camera north"
    assert facts["Confidence"] == "92%"
    assert facts["Kind"] == "Accessible"


def test_a_click_on_a_car_opens_the_card_of_its_bay(panel):
    roof = panel.view.scene.centres[[panel.view.scene.index["west", "A01"]]] + (0.0, 0.0, 1.0)
    (x, y), _ = (one[0] for one in poses.project(panel.view.pose, roof, panel.view.width(), panel.view.height()))

    QTest.mouseClick(panel.view, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))

    assert panel.selected == ("west", "A01")


def test_a_bay_that_is_picked_at_the_edge_stays_in_sight_beside_its_card(panel, qtbot):
    view = panel.view
    width = view.width()
    while place_of(panel, "A01").x() < width - 60:
        view.fly_to_at_once(poses.pan(view.pose, -0.5, 0.0))
    assert place_of(panel, "A01").x() < width

    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place_of(panel, "A01"))

    qtbot.waitUntil(lambda: view.width() < width and 0 < place_of(panel, "A01").x() < view.width(), timeout=5000)


def test_a_card_names_the_camera_and_proposes_the_other_state(panel):
    panel.set_names({"north": "North mast"})
    panel.select_bay("west", "A01")
    assert panel.card.facts.facts["Source"] == "Camera North mast"
    assert panel.card.state_choice.currentData() == BayState.FREE

    panel.select_bay("west", "A02")

    assert panel.card.state_choice.currentData() == BayState.OCCUPIED


def test_the_reason_of_a_correction_that_was_taken_is_not_offered_again(panel):
    panel.select_bay("west", "A02")
    QTest.keyClicks(panel.card.reason, "a trailer")

    panel.show_corrected(status("A02", BayState.OCCUPIED, reason="a trailer"))

    assert panel.card.reason.text() == ""


def test_the_time_that_is_typed_is_meant_to_the_minute(panel):
    in_two_days = (NOW + timedelta(days=2)).astimezone()
    typed = in_two_days.replace(hour=18, minute=0, second=0)

    # What the field does not show it keeps from before.
    panel.time_bar.field.setDateTime(QDateTime.fromSecsSinceEpoch(int(typed.timestamp()) + 37))

    assert panel.moment.mode is Mode.FORECAST
    assert panel.moment.at == typed


def test_escape_closes_the_card(panel):
    panel.select_bay("west", "A01")

    QTest.keyClick(panel.view, Qt.Key.Key_Escape)

    assert not panel.card.isVisible()


def test_full_stop_goes_from_bay_to_bay(panel):
    QTest.keyClick(panel.view, Qt.Key.Key_Period)
    QTest.keyClick(panel.view, Qt.Key.Key_Period)

    assert panel.selected == ("west", "A02")


def test_a_correction_needs_a_reason(panel):
    wanted = []
    panel.correction_wanted.connect(lambda *what: wanted.append(what))
    panel.select_bay("west", "A02")
    assert not panel.card.correct.isEnabled()

    QTest.keyClicks(panel.card.reason, "seen on site")
    panel.card.state_choice.setCurrentIndex(panel.card.state_choice.findData(BayState.OCCUPIED))
    QTest.mouseClick(panel.card.correct, Qt.MouseButton.LeftButton)

    assert wanted == [("west", "A02", BayState.OCCUPIED, "seen on site")]


def test_only_a_bay_that_was_corrected_can_be_released(panel):
    panel.select_bay("west", "A02")
    assert not panel.card.release.isEnabled()

    panel.update_statuses((status("A02", BayState.OCCUPIED, reason="seen on site"),))

    assert panel.card.release.isEnabled()


def test_a_viewer_corrects_nothing(panel):
    panel.set_may_correct(False)
    panel.select_bay("west", "A02")

    assert not panel.card.state_choice.isEnabled()
    assert not panel.card.reason.isEnabled()


def test_table_and_scene_have_the_same_selection(panel):
    panel.listed.click()
    panel.table.view.setCurrentIndex(panel.table.view.model().index(4, 0))

    assert panel.selected == ("west", "A05")
    assert panel.is_table


def test_the_table_is_filtered_by_state_and_kind(panel):
    panel.listed.click()
    panel.table.state_choice.setCurrentIndex(panel.table.state_choice.findData("free"))
    assert panel.table.n_shown == 1

    panel.update_statuses((status("A04", BayState.FREE),))

    assert panel.table.n_shown == 2
    assert panel.table.said.text() == "2 of 20 bays"


def test_where_there_is_no_opengl_the_table_stands_with_a_sentence(panel):
    panel.show_failed("The 3D view ended: this machine's graphics driver broke.")

    assert panel.is_table
    assert panel.sentence.endswith("The table has the same content.")
    assert not panel.solid.isEnabled()


def change(bay_id, at, state):
    return BayChange(lot_id="west", bay_id=bay_id, at=at, state=state, confidence=0.9, source="camera:north")


def test_a_past_instant_is_asked_for_shown_and_said_to_be_past(panel):
    asked = []
    panel.changes_wanted.connect(lambda *what: asked.append(what))
    at = (NOW - timedelta(hours=5)).replace(minute=5, second=0)

    panel.time_bar.go_to(at)
    lot_id, since, until = asked[0]
    assert (lot_id, until - since) == ("west", timedelta(hours=1))
    assert since <= at < until
    assert "being read" in panel.view.notice

    panel.show_changes(lot_id, since, [change("A01", since - timedelta(hours=2), BayState.FREE)])
    assert shown_of(panel, "A01") is Shown.FREE
    assert shown_of(panel, "A02") is Shown.UNKNOWN
    assert panel.view.notice.endswith("05, not live")
    assert panel.view.notice.startswith("Replay")


def test_the_slider_goes_back_over_the_last_hour_from_now_and_stays_there(panel):
    slider = panel.time_bar.slider
    assert slider.value() == slider.maximum()

    QTest.keyClick(slider, Qt.Key.Key_Left)
    first = panel.moment.at
    QTest.keyClick(slider, Qt.Key.Key_PageDown)

    assert panel.moment.mode is Mode.REPLAY
    assert 25 <= (datetime.now(UTC) - first).total_seconds() <= 60
    assert first - panel.moment.at == timedelta(minutes=10)


def test_what_happens_now_does_not_disturb_the_replay(panel):
    panel.time_bar.go_to(NOW - timedelta(hours=5))
    panel.update_statuses((status("A01", BayState.FREE),))

    assert shown_of(panel, "A01") is Shown.UNKNOWN


def test_one_key_goes_back_to_now(panel):
    panel.time_bar.go_to(NOW - timedelta(hours=5))

    QTest.keyClick(panel.view, Qt.Key.Key_L)

    assert panel.moment.mode is Mode.LIVE
    assert panel.view.notice == ""
    assert shown_of(panel, "A01") is Shown.OCCUPIED


def test_what_is_past_cannot_be_corrected(panel):
    panel.select_bay("west", "A01")
    panel.time_bar.go_to(NOW - timedelta(hours=5))

    assert not panel.card.reason.isEnabled()


def test_the_forecast_is_a_share_with_its_doubt_and_no_state(panel):
    asked = []
    panel.forecast_wanted.connect(lambda *what: asked.append(what))
    panel.time_bar.go_to(NOW + timedelta(hours=3))
    at = panel.moment.at
    assert ("west", "", at) in asked
    assert ("west", "A", at) in asked

    panel.show_ahead(at, ShareAhead(lot_id="west", zone="", share=0.62, low=0.5, high=0.74, probability=0.8))

    assert set(panel.view.bays_look.shown.tolist()) == {Shown.SHARE}
    assert "not known" in panel.view.notice
    assert panel.table.texts_of(("west", "A01"))["State"] == "62% occupied (50% to 74%, 80% sure)"


def test_where_nothing_can_be_foreseen_every_bay_is_unknown(panel):
    panel.time_bar.go_to(NOW + timedelta(hours=3))
    panel.show_no_ahead("west", "There are 2 days of history; 14 are needed.")

    assert set(panel.view.bays_look.shown.tolist()) == {Shown.UNKNOWN}


def test_heat_shows_figures_and_leaves_out_bays_without_one(panel):
    panel.heat_choice.setCurrentIndex(panel.heat_choice.findData("turnover"))
    heat = Heat(lot_id="west", kind="turnover", values={"A01": 8.0, "A02": 4.0}, unit="vehicles a day")

    panel.show_heat("west", {"turnover": heat})

    shares = panel.view.bays_look.shares
    assert shares[panel.view.scene.index["west", "A02"]] == pytest.approx(0.5)
    assert shown_of(panel, "A03") is Shown.UNKNOWN
    assert "last 24 hours" in panel.view.notice


def test_page_keys_slice_the_levels_of_a_garage(panel):
    panel.show_lots([garage("mall", "Mall", n_levels=3, bays_per_level=20)])
    assert panel.view.options.top_level is None

    QTest.keyClick(panel.view, Qt.Key.Key_PageDown)
    assert panel.view.options.top_level == 2
    QTest.keyClick(panel.view, Qt.Key.Key_PageDown)
    assert panel.view.options.top_level == 1

    assert levels_hit_in(panel.view) == {1}, "what is drawn is picked, and nothing through it"


def test_the_deck_of_a_level_hides_what_is_below_it_from_the_pointer(panel):
    panel.show_lots([garage("mall", "Mall", n_levels=3, bays_per_level=20)])
    panel.view.see_from_above()
    panel.view.fly_to_at_once(panel.view.pose)

    assert levels_hit_in(panel.view) == {2}


def choose_level(panel, words):
    panel.level_choice.setCurrentIndex(panel.level_choice.findText(words))
    panel.view.fly_to_at_once(panel.view.pose)


def show_white_picture(panel):
    """Have a picture painted, so that what is written over it can be read."""
    size = (panel.view.width(), panel.view.height())
    panel.show_picture(Picture(panel.view.pose, *size, Detail.FINE, 0.01, b"\xff" * (4 * size[0] * size[1])))
    return panel.view.grab().toImage()


def test_levels_apart_are_all_picked_named_and_counted(panel):
    mall = garage("mall", "Mall", n_levels=3, bays_per_level=20)
    panel.show_lots([mall])
    taken = [bay.bay_id for bay in mall.bays if bay.level == 1][:15]
    panel.show_statuses(
        [
            status(bay.bay_id, BayState.OCCUPIED if bay.bay_id in taken else BayState.FREE, lot_id="mall")
            for bay in mall.bays
        ]
    )
    assert panel.view.options.is_apart is False
    heights = sorted({round(float(z), 1) for z in panel.view.scene.centres[:, 2]})
    assert heights == [0.0, 3.0, 6.0]

    choose_level(panel, "Levels apart")

    assert panel.view.options.is_apart
    assert levels_hit_in(panel.view) == {0, 1, 2}
    show_white_picture(panel)
    written = panel.view.written
    for words in ("Level 2   20 free of 20", "Level 1   5 free of 20", "Ground   20 free of 20"):
        assert words in written

    choose_level(panel, "Level 1")
    show_white_picture(panel)
    assert "Level 1   5 free of 20" in panel.view.written
    assert not any(words.startswith(("Level 2", "Ground")) for words in panel.view.written)


def test_an_open_lot_beside_a_garage_stays_in_sight_whichever_level_is_chosen(panel):
    panel.show_lots([LOT, garage("mall", "Mall", n_levels=3, bays_per_level=20)])
    choose_level(panel, "Level 2")

    lots = {panel.view.scene.keys[i][0]: int(panel.view.scene.levels[i]) for i in hit_by(panel.view)}
    assert lots == {"west": 0, "mall": 2}


def levels_hit_in(view):
    return {int(view.scene.levels[i]) for i in hit_by(view)}


def hit_by(view):
    spots = [(x, y) for x in range(0, view.width(), 24) for y in range(0, view.height(), 24)]
    return {i for i in (view.bay_at(x, y) for x, y in spots) if i is not None}


def test_several_lots_stand_in_one_scene_and_one_can_be_chosen(panel):
    panel.show_lots([LOT, open_lot("east", "Lot East", n_bays=10)])
    assert panel.view.scene.n_bays == 30

    panel.lot_choice.setCurrentIndex(panel.lot_choice.findData("east"))

    assert panel.view.scene.n_bays == 10


def test_without_a_lot_the_panel_says_how_to_get_one(panel):
    panel.show_lots([])

    assert panel.shown_lots == ()
    assert panel.empty_sentence == "No lot is drawn yet."


def test_arrows_move_and_turn_the_eye(panel, orders):
    before = panel.view.pose

    QTest.keyClick(panel.view, Qt.Key.Key_Right)
    QTest.keyClick(panel.view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)

    assert panel.view.pose.x_m != before.x_m
    assert panel.view.pose.azimuth_deg != before.azimuth_deg
    assert isinstance(orders[-1], Look)


def test_a_picture_is_painted_with_labels_over_it(panel):
    size = (panel.view.width(), panel.view.height())
    pixels = bytes((30, 120, 10, 255)) * (size[0] * size[1])  # blue first

    panel.show_picture(Picture(panel.view.pose, *size, Detail.FINE, 0.01, pixels))
    image = panel.view.grab().toImage()

    colors = {image.pixelColor(x, y).getRgb()[:3] for x in range(0, size[0], 7) for y in range(0, size[1], 5)}
    assert (10, 120, 30) in colors
    assert len(colors) > 5


def test_a_picture_that_came_in_pieces_is_left_out(panel):
    panel.show_picture(Picture(panel.view.pose, 100, 100, Detail.FINE, 0.01, b"\0" * 17))

    assert not panel.view.has_picture


@pytest.mark.parametrize("attention", [Attention.CALLING, Attention.RETURNED])
def test_a_lot_with_an_alarm_pulses_at_most_once_a_second_and_none_once_it_is_acknowledged(panel, attention):
    panel.show_alarms({"west": AlarmMark(Priority.HIGH, attention)})

    assert 0.0 < panel.view.pulses_per_s <= 1.0

    panel.show_alarms({"west": AlarmMark(Priority.HIGH, Attention.NONE)})
    assert panel.view.pulses_per_s == 0.0


def test_a_lot_that_is_drawn_anew_keeps_what_is_known(panel):
    moved = replace(LOT, version=2, bays=LOT.bays[:15])

    panel.show_lots([moved])

    assert panel.view.scene.n_bays == 15
    assert shown_of(panel, "A01") is Shown.OCCUPIED


def test_without_a_node_everything_is_the_last_that_was_known(panel):
    panel.select_bay("west", "A01")

    panel.show_lost("The node is gone.")

    assert panel.view.notice == "Last known, not live"
    assert bool(panel.view.bays_look.is_stale[panel.view.scene.index["west", "A01"]])
    assert panel.card.facts.facts["State"] == "Occupied, stale"
    assert not panel.card.reason.isEnabled()

    panel.show_current()
    assert panel.view.notice == ""
    assert not panel.view.bays_look.is_stale.any()


def test_a_bay_that_changes_while_it_is_looked_at_is_pictured_anew(panel):
    asked = []
    panel.select_bay("west", "A01")
    panel.snapshot_wanted.connect(lambda *key: asked.append(key))

    panel.update_statuses((status("A02", BayState.OCCUPIED),))
    assert asked == []
    panel.update_statuses((status("A01", BayState.FREE),))
    assert asked == [("west", "A01")]


def test_nothing_is_ordered_while_nobody_looks(panel, orders):
    panel.hide()
    orders.clear()

    panel.update_statuses((status("A02", BayState.OCCUPIED),))
    assert [order for order in orders if not isinstance(order, End)] == []

    panel.show()
    assert np.any([isinstance(order, ShowBays) for order in orders])


def test_the_selected_bay_has_a_ring_where_it_lies(panel):
    plain = show_white_picture(panel)
    panel.view.select(("west", "A02"))
    ringed = panel.view.grab().toImage()

    corners = panel.view.scene.corners[panel.view.scene.index["west", "A02"]]
    lifted = corners + np.array((0.0, 0.0, 0.12))
    at, _ = poses.project(panel.view.pose, lifted, panel.view.width(), panel.view.height())
    focus = look().color("focus").getRgb()[:3]
    # Over the edge where one drives in its label is written.
    for a, b in list(zip(at, np.roll(at, -1, axis=0), strict=True))[1:]:
        x, y = np.rint((a + b) / 2).astype(int)
        around = [(x + i, y + j) for i in range(-2, 3) for j in range(-2, 3)]
        assert any(np.abs(np.subtract(ringed.pixelColor(*p).getRgb()[:3], focus)).max() < 40 for p in around)
        assert not any(np.abs(np.subtract(plain.pixelColor(*p).getRgb()[:3], focus)).max() < 40 for p in around)


def test_bays_that_are_near_carry_their_name_and_an_old_state_its_age(panel):
    panel.update_statuses((status("A03", BayState.CLOSED, is_stale=True),))
    panel.view.fly_to_bay(("west", "A02"))
    panel.view.fly_to_at_once(panel.view.pose)

    image = show_white_picture(panel)

    assert "A02" in panel.view.written
    (dated,) = [words for words in panel.view.written if words.startswith("A03")]
    assert dated.endswith(" ago")
    (x, y), _ = (
        one[0]
        for one in poses.project(
            panel.view.pose,
            panel.view.scene.mouths[[panel.view.scene.index["west", "A02"]]],
            panel.view.width(),
            panel.view.height(),
        )
    )
    ink = [image.pixelColor(round(x) + i, round(y) + j).lightness() for i in range(-12, 13) for j in range(-6, 7)]
    assert min(ink) < 100 < 200 < max(ink)


def test_the_legend_shows_every_state_and_gives_way_to_that_of_a_figure(panel):
    states = show_white_picture(panel)
    panel.heat_choice.setCurrentIndex(panel.heat_choice.findData("turnover"))
    panel.show_heat("west", {"turnover": Heat(lot_id="west", kind="turnover", values={"A01": 8.0}, unit="a day")})
    figure = show_white_picture(panel)

    corner = [(x, y) for x in range(20, 300, 3) for y in range(panel.view.height() - 40, panel.view.height() - 16, 3)]
    assert len({states.pixelColor(*at).getRgb()[:3] for at in corner}) > 6
    assert any(states.pixelColor(*at) != figure.pixelColor(*at) for at in corner)


def test_f_flies_to_the_selected_bay_and_home_back_over_everything(panel, qtbot):
    panel.select_bay("west", "A07")
    far = panel.view.pose

    QTest.keyClick(panel.view, Qt.Key.Key_F)
    bay = panel.view.scene.centres[panel.view.scene.index["west", "A07"]]
    assert (panel.view.pose.x_m, panel.view.pose.y_m) == pytest.approx(tuple(bay[:2]))
    assert panel.view.pose.distance_m < far.distance_m
    qtbot.waitUntil(lambda: not panel.view.is_flying, timeout=5000)
    at = place_of(panel, "A07")
    assert (at.x(), at.y()) == pytest.approx((panel.view.width() / 2, panel.view.height() / 2), abs=2)

    QTest.keyClick(panel.view, Qt.Key.Key_Home)
    assert panel.view.pose.distance_m > FLY_TO_BAY_M


def test_a_double_click_flies_to_the_bay_under_it(panel):
    QTest.mouseDClick(panel.view, Qt.MouseButton.LeftButton, pos=place_of(panel, "A09"))

    bay = panel.view.scene.centres[panel.view.scene.index["west", "A09"]]
    assert (panel.view.pose.x_m, panel.view.pose.y_m) == pytest.approx(tuple(bay[:2]))


def test_return_in_the_table_flies_to_the_bay_in_three_dimensions(panel):
    panel.listed.click()
    panel.table.view.setFocus()
    panel.table.view.setCurrentIndex(panel.table.view.model().index(4, 0))

    QTest.keyClick(panel.table.view, Qt.Key.Key_Return)

    assert not panel.is_table
    bay = panel.view.scene.centres[panel.view.scene.index["west", "A05"]]
    assert (panel.view.pose.x_m, panel.view.pose.y_m) == pytest.approx(tuple(bay[:2]))


def test_the_card_shows_the_picture_of_its_bay_with_its_age_and_of_no_other(panel):
    asked = []
    panel.snapshot_wanted.connect(lambda *key: asked.append(key))
    panel.select_bay("west", "A02")
    assert asked == [("west", "A02")]

    panel.show_snapshot(("west", "A05"), jpeg_of("red"), 3.0)
    assert panel.card.shown_picture is None
    panel.show_snapshot(("west", "A02"), jpeg_of("blue"), 12.0)

    assert QColor(panel.card.shown_picture.pixel(4, 4)).blue() > 200
    assert "12 s ago" in panel.card.picture_words


def jpeg_of(name):
    image = QImage(32, 24, QImage.Format.Format_RGB32)
    image.fill(QColor(name))
    data = QBuffer()
    data.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(data, "JPEG")
    return bytes(data.data().data())


def test_dwell_is_a_heat_of_its_own_with_its_unit(panel):
    asked = []
    panel.figures_wanted.connect(lambda *what: asked.append(what))
    panel.heat_choice.setCurrentIndex(panel.heat_choice.findData("dwell"))
    (lot_id, since, until), *_ = asked
    assert (lot_id, until - since) == ("west", timedelta(hours=24))

    panel.show_heat("west", {"dwell": Heat(lot_id="west", kind="dwell", values={"A01": 90.0, "A02": 30.0}, unit="min")})

    shares = panel.view.bays_look.shares
    assert shares[panel.view.scene.index["west", "A01"]] == pytest.approx(1.0)
    assert shares[panel.view.scene.index["west", "A02"]] == pytest.approx(1 / 3)
    assert panel.view.notice.startswith("Dwell")


def test_cameras_without_a_position_are_named_once_cones_are_wanted(panel):
    panel.show_cones((), ("North mast",))
    show_white_picture(panel)
    assert "No position: North mast" not in panel.view.written

    panel.cones.setChecked(True)
    show_white_picture(panel)

    assert "No position: North mast" in panel.view.written


def test_a_camera_is_named_where_it_hangs_with_its_height(panel):
    cone = Cone(
        lot_id="west",
        camera_id="mast",
        name="North mast",
        apex=(5.0, 5.0, 6.5),
        ground=((0.0, 0.0, 0.1), (9.0, 0.0, 0.1), (9.0, 9.0, 0.1)),
        height_m=6.5,
        heading_deg=0.0,
        view_angle_deg=60.0,
        tilt_deg=None,
    )
    panel.show_cones((cone,), ())
    panel.cones.setChecked(True)
    assert panel.view.options.cones == (cone,)

    show_white_picture(panel)

    assert "North mast  6.5 m" in panel.view.written


def test_one_vehicle_across_two_bays_is_shown_live_and_not_in_the_past(panel):
    panel.update_statuses((status("A02", BayState.OCCUPIED),))
    index = panel.view.scene.index

    panel.show_misparked([(("west", "A01"), ("west", "A02"))])
    assert panel.view.bays_look.misparked.tolist() == [[index["west", "A01"], index["west", "A02"]]]

    panel.update_statuses((status("A02", BayState.FREE),))
    assert panel.view.bays_look.misparked.tolist() == [], "what is known to be empty is not taken"
    panel.time_bar.go_to(NOW - timedelta(hours=5))
    assert panel.view.bays_look.misparked.tolist() == []


def test_shadows_and_daylight_are_off_until_they_are_wanted(panel):
    assert not panel.view.options.has_shadows
    night = panel.view.options.palette

    panel.shadows.setChecked(True)
    panel.day.setChecked(True)

    assert panel.view.options.has_shadows
    assert sum(panel.view.options.palette.sky) > sum(night.sky) + 200


def test_no_more_looks_are_ordered_than_pictures_come_and_the_last_one_goes_out_with_them(panel, orders):
    show_white_picture(panel)
    orders.clear()
    for _ in range(20):
        QTest.keyClick(panel.view, Qt.Key.Key_Right)
    assert len([order for order in orders if isinstance(order, Look)]) <= 3

    orders.clear()
    show_white_picture(panel)

    (newest,) = [order for order in orders if isinstance(order, Look)]
    assert newest.pose == panel.view.pose
