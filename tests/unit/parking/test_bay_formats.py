"""Files of other programs become bays, or a sentence."""

import json
import pickle
import tracemalloc
from pathlib import Path

import pytest

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.formats import own, positions
from core.parking.formats.checking import Answers, check
from core.parking.formats.reading import read_content, read_file
from core.parking.model import Bay, BayKind, BayState, BayView, Level, Lot
from core.parking.plans import on_ground
from core.parking.shapes import area_of
from tests.fixtures.testdata import testdata

SQUARE = [[100, 100], [200, 100], [200, 160], [100, 160]]
HD = Answers(picture_px=(1280, 720))
LOT = Lot(lot_id="north", name="North", position=GeoPoint(51.05, 13.74), bearing_deg=30.0)


def read(content, name="bays.json", answers=HD, picture=""):
    text = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    return check(read_content(text, name, picture), answers)


def refusal(content, name="bays.json"):
    with pytest.raises(BadInputError) as caught:
        read(content, name)
    return caught.value


def reasons(found):
    return {(row.number, row.name): row.reason for row in found.bad}


# -- real files


def test_pklot_gives_forty_bays_with_ids_contours_and_states():
    folder = testdata("parking/pklot_ufpr05/xml")
    found = read_file(sorted(folder.iterdir())[0])

    bays = check(found, Answers()).bays

    assert found.title == "PKLot XML"
    assert [bay.bay_id for bay in bays] == [str(number) for number in range(1, 41)]
    assert bays[0].outline[0] == pytest.approx((608 / 1280, 613 / 720), abs=1e-5)
    assert {bay.state for bay in bays} <= {BayState.FREE, BayState.OCCUPIED}


def test_car_park_positions_take_the_bay_size_that_is_answered():
    document = read_file(testdata("parking/carpark_cvzone/CarParkPos.pickle"))

    bays = check(document, Answers(picture_px=(1100, 720), bay_px=(100, 50))).bays

    assert document.bay_px == (107, 48)
    assert len(bays) == 69
    assert bays[0].outline[0] == pytest.approx((512 / 1100, 617 / 720), abs=1e-5)
    assert bays[0].outline[2] == pytest.approx((612 / 1100, 667 / 720), abs=1e-5)


def test_the_street_file_gives_ten_bays_and_the_free_area_as_a_lane():
    document = read_file(testdata("parking/street_parking_still/stream_bounding_boxes.json"))

    found = check(document, Answers(picture_px=(1020, 500)))

    assert document.title == "ultralytics' parking JSON"
    assert len(found.bays) == 10
    assert list(found.lanes) == ["free_area"]
    assert found.bad == ()


# -- CVAT and COCO

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
 <image id="0" name="empty.jpg" width="1920" height="1080"/>
 <image id="1" name="lot.jpg" width="1280" height="720">
  <polygon label="EV bay" points="100.00,100.00;200.00,100.00;200.00,160.00;100.00,160.00">
   <attribute name="bay_id">A1</attribute><attribute name="zone">north</attribute>
   <attribute name="occupied">true</attribute>
  </polygon>
  <box label="bay" xtl="300" ytl="100" xbr="400" ybr="200" rotation="45.0"/>
  <polyline label="bay" points="0,0;5,5"/>
  <polygon label="driving lane" points="0,300;1280,300;1280,400;0,400"/>
 </image>
</annotations>"""


def test_cvat_takes_the_first_picture_with_outlines_and_its_attributes():
    document = read_content(CVAT.encode(), "annotations.xml")

    found = check(document, Answers())

    assert (document.picture, document.picture_px) == ("lot.jpg", (1280, 720))
    assert found.bays[0].bay_id == "A1"
    assert (found.bays[0].kind, found.bays[0].zone, found.bays[0].state) == (BayKind.EV, "north", BayState.OCCUPIED)
    assert list(found.lanes) == ["driving lane"]
    assert reasons(found) == {(3, "bay"): "It is a polyline; a bay is a polygon or a box."}


def test_a_turned_box_keeps_its_area():
    box = check(read_content(CVAT.encode(), "a.xml"), Answers()).bays[1].outline

    assert area_of(box) * 1280 * 720 == pytest.approx(100 * 100, rel=1e-3)
    assert min(y for _, y in box) * 720 == pytest.approx(150 - 70.71, abs=0.1)


def test_tracks_of_a_clip_give_each_bay_once():
    polygon = '<polygon frame="{}" outside="{}" points="10,10;90,10;90,60;10,60"/>'
    size = "<original_size><width>640</width><height>360</height></original_size>"
    track = f'<track id="0" label="bay">{polygon.format(0, 0)}{polygon.format(5, 0)}{polygon.format(9, 1)}</track>'
    text = f"<annotations><meta>{size}</meta>{track}</annotations>"

    assert len(read(text, "clip.xml", Answers()).bays) == 1


COCO = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 1000, "height": 500},
        {"id": 2, "file_name": "b.jpg", "width": 640, "height": 360},
    ],
    "categories": [{"id": 7, "name": "space-occupied"}, {"id": 8, "name": "disabled"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 7,
            "segmentation": [[100, 100, 200, 100, 200, 160, 100, 160]],
            "attributes": {"id": "7b"},
        },
        {"id": 2, "image_id": 1, "category_id": 8, "segmentation": [], "bbox": [300, 100, 50, 40]},
        {"id": 3, "image_id": 1, "category_id": 8, "segmentation": {"counts": "x", "size": [1, 1]}},
        {"id": 4, "image_id": 2, "category_id": 8, "segmentation": [[1, 1, 60, 1, 60, 60]]},
    ],
}


def test_coco_gives_outlines_and_boxes_of_one_picture():
    found = read(COCO, answers=Answers())

    assert [(bay.bay_id, bay.kind, bay.state) for bay in found.bays] == [
        ("7b", BayKind.STANDARD, BayState.OCCUPIED),
        ("", BayKind.ACCESSIBLE, None),
    ]
    assert found.bays[1].outline[2] == pytest.approx((0.35, 0.28))
    assert reasons(found) == {(3, "disabled"): "It is a bitmap (RLE), no outline; export polygons."}
    assert len(read(COCO, answers=Answers(), picture="b.jpg").bays) == 1


def test_cvats_own_json_is_read():
    data = {
        "categories": {"label": {"labels": [{"name": "bay"}]}},
        "items": [
            {
                "id": "f",
                "image": {"size": [720, 1280]},
                "annotations": [
                    {
                        "type": "polygon",
                        "label_id": 0,
                        "points": [100, 100, 200, 100, 200, 160],
                        "attributes": {"bay": "C3"},
                    },
                    {"type": "mask", "label_id": 0},
                ],
            }
        ],
    }

    found = read(data, answers=Answers())

    assert [bay.bay_id for bay in found.bays] == ["C3"]
    assert reasons(found) == {(2, "bay"): "It is a mask; a bay is a polygon or a box."}


# -- GeoJSON and our own


def test_geojson_comes_onto_the_plan_by_position_and_bearing():
    plan = ((0.0, 0.0), (2.5, 0.0), (2.5, 5.0), (0.0, 5.0))
    places = [on_ground(point, LOT.position, LOT.bearing_deg) for point in (*plan, plan[0])]
    ring = [[place.lon_deg, place.lat_deg] for place in places]
    feature = {
        "type": "Feature",
        "properties": {"ref": "12", "parking_space": "disabled", "level": "-1"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    point = {"type": "Feature", "properties": {"ref": "13"}, "geometry": {"type": "Point", "coordinates": [13.7, 51.0]}}

    found = read({"type": "FeatureCollection", "features": [feature, point]}, answers=Answers(lot=LOT))

    (bay,) = found.bays
    assert (bay.bay_id, bay.kind, bay.level) == ("12", BayKind.ACCESSIBLE, -1)
    assert [part for corner in bay.outline for part in corner] == pytest.approx([0, 0, 2.5, 0, 2.5, 5, 0, 5], abs=1e-5)
    assert reasons(found) == {(2, "13"): "It is a Point, no polygon."}


def test_geojson_in_metres_says_how_to_save_it():
    ring = [[1529000, 6630000], [1529010, 6630000], [1529010, 6630005]]
    data = {
        "type": "FeatureCollection",
        "crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::3857"}},
        "features": [{"geometry": {"type": "Polygon", "coordinates": [ring]}}],
    }

    assert "EPSG::3857" in refusal(data).message
    del data["crs"]
    assert "not in degrees" in next(iter(reasons(read(data, answers=Answers(lot=LOT))).values()))


def test_a_lot_without_a_place_gets_the_middle_of_its_bays():
    ring = [[13.74, 51.05], [13.74004, 51.05], [13.74004, 51.05005], [13.74, 51.05005]]
    data = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}

    found = read(data, answers=Answers(lot=Lot(lot_id="x", name="X")))

    assert found.placed_at == pytest.approx((51.05, 13.74), abs=1e-4)
    assert len(found.bays) == 1


def test_our_own_file_comes_back_as_it_was():
    bay = Bay(
        bay_id="A1",
        label="1",
        kind=BayKind.EV,
        zone="z",
        level=-1,
        outline=((0, 0), (2.5, 0), (2.5, 5), (0, 5)),
        max_stay_min=60,
    )
    view = BayView(
        camera_id="cam",
        outlines={"A1": ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2))},
        lanes={"Lane 1": ((0, 0), (1, 0), (1, 1))},
    )
    lot = Lot(
        lot_id="north",
        name="North",
        position=GeoPoint(51, 13),
        levels=(Level(number=-1, name="Basement", height_m=-3.0),),
        bays=(bay,),
        views=(view,),
    )

    found = read(own.lot_json(lot), answers=Answers())

    assert found.lot == lot
    assert found.bad == ()


def test_of_our_own_file_only_what_is_wrong_is_left_out():
    lot = Lot(
        lot_id="n",
        name="N",
        bays=(Bay(bay_id="A1"), Bay(bay_id="A1"), Bay(bay_id="A2", outline=((0, 0), (2, 4), (2, 0), (0, 4)))),
        views=(BayView(camera_id="cam", outlines={"A9": ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2))}),),
    )

    found = read(own.lot_json(lot), answers=Answers())

    assert [bay.bay_id for bay in found.bays] == ["A1"]
    assert reasons(found) == {
        (2, "A1"): "The id A1 stands in entry 1 already.",
        (3, "A2"): "Its outline crosses itself.",
        (1, "A9 at cam"): "The lot has no bay A9.",
    }


def test_geojson_is_written_for_a_lot_that_has_a_place():
    bay = Bay(bay_id="A1", outline=((0, 0), (2.5, 0), (2.5, 5), (0, 5)))
    lot = Lot(lot_id="n", name="North", position=LOT.position, bearing_deg=30.0, bays=(bay, Bay(bay_id="unseen")))

    written = json.loads(own.lot_geojson(lot))

    (found,) = read(written, answers=Answers(lot=lot)).bays
    assert found.bay_id == "A1"
    assert [part for corner in found.outline for part in corner] == pytest.approx(
        [0, 0, 2.5, 0, 2.5, 5, 0, 5], abs=1e-3
    )
    with pytest.raises(BadInputError, match="no place on the map"):
        own.lot_geojson(Lot(lot_id="n", name="North"))


# -- rows that cannot be used


def test_an_id_that_a_bay_cannot_have_is_taken_without_plus_and_colon_and_stays_as_label():
    found = read({"slots": [{"id": "urn:bay:7", "points": SQUARE}, {"id": "A1+A2", "points": SQUARE}]})

    assert [(bay.bay_id, bay.label) for bay in found.bays] == [("urn-bay-7", "urn:bay:7"), ("A1-A2", "A1+A2")]
    assert (found.n_other_ids, found.bad) == (2, ())


def test_each_row_that_cannot_be_used_is_listed_with_its_reason():
    slots = [
        {"id": 1, "points": SQUARE},
        {"id": 1, "points": SQUARE},
        {"id": 3, "points": [[0, 0], [100, 100], [100, 0], [0, 100]]},
        {"id": 4, "points": [[5, 5], [7, 5], [7, 7], [5, 7]]},
        {"id": 5, "points": [[1200, 600], [1400, 600], [1400, 700], [1200, 700]]},
        {"id": 6, "points": [[1, 2], [3, 4]]},
        {"id": 7, "points": [[1, 2], ["a", 4], [5, 6]]},
        {"id": 8},
        {"id": "x" * 65, "points": SQUARE},
        {"id": 10, "points": [[1, 2], [1e400, 4], [5, 6]]},
    ]

    found = read({"slots": slots})

    assert [bay.bay_id for bay in found.bays] == ["1"]
    assert [(row.number, row.reason) for row in found.bad] == [
        (2, "The id 1 stands in entry 1 already."),
        (3, "Its outline crosses itself."),
        (4, "It is tiny: 4.0 square pixels."),
        (5, "It reaches 120 px beyond the picture (1280 x 720)."),
        (6, "It has 2 corners; an outline has at least three."),
        (7, "“['a', 4]” is no pair of numbers."),
        (8, "It has no points."),
        (9, f"'{'x' * 40}' is no id for a bay. Use 1 to 64 printable characters other than + and :."),
        (10, "A corner is at no number."),
    ]


def test_an_outline_that_ends_just_outside_is_moved_to_the_border():
    found = read([{"points": [[-4, 100], [200, 100], [200, 160], [0, 160]]}])

    assert found.bays[0].outline[0] == (0.0, pytest.approx(100 / 720, abs=1e-5))


def test_a_file_without_the_pictures_size_asks_for_it():
    with pytest.raises(BadInputError, match="how large its picture was"):
        read([{"points": SQUARE}], answers=Answers())


# -- files that are no bays


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"\xff\xd8\xff\xe0 JFIF", "lot.jpg", "lot.jpg is a JPEG picture, no file of bays."),
        (b"PK\x03\x04abc", "task.zip", "task.zip is a ZIP archive, no file of bays."),
        (b"  \n", "empty.json", "empty.json is empty."),
        (b"id;x;y\n1;2;3", "bays.csv", "bays.csv is text that begins with “id;x;y”, no file of bays."),
        (b'{"name": "x", "age": 3}', "x.json", "x.json is JSON with the keys age, name, no file of bays."),
        (b"[1, 2, 3]", "x.json", "x.json is a JSON list of 3 entries without outlines, no file of bays."),
        (b'{"bays": [', "x.json", "x.json looks like JSON, but cannot be read"),
        (b"<kml><Document/></kml>", "a.kml", "a.kml is KML, no file of bays."),
        (b"<parking id='x'/>", "a.xml", "a.xml is PKLot XML, but holds no outline."),
        (b"<annotation><object/></annotation>", "voc.xml", "voc.xml is a Pascal VOC annotation"),
        (b"\x00\x01\x02\xfe\xff", "a.bin", "a.bin is no text and nothing that is known here."),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><parking/>", "a.xml", "a.xml declares a document type"),
    ],
)
def test_the_wrong_file_is_named_with_what_it_is_and_what_would_do(content, name, said):
    error = refusal(content, name)

    assert error.message.startswith(said)
    assert "GeoJSON" in error.hint


class Harm:
    def __reduce__(self):
        return (Path("/nonexistent-harm").touch, ())


@pytest.mark.parametrize("protocol", range(6))
def test_positions_of_every_pickle_protocol_are_read(protocol):
    content = pickle.dumps([(10, 20), [400, 300]], protocol=protocol)

    assert len(check(read_content(content, "CarParkPos"), HD).bays) == 2


@pytest.mark.parametrize("value", [[Harm()], {"a": 1}, [(1.5, 2.5)], ["text"], [b"x"], [print], [{1, 2}]])
def test_a_pickle_of_anything_else_is_refused_and_nothing_of_it_is_run(value):
    with pytest.raises(BadInputError, match="nothing of it was run"):
        read_content(pickle.dumps(value), "CarParkPos")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]r\x00\x2d\x31\x01.",
        b"\x80\x02]" + b"p20000000\n.",
    ],
    ids=["a far place", "a far place in text"],
)
def test_a_small_pickle_that_asks_for_much_memory_is_refused(content):
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError, match="nothing of it was run"):
            read_content(content, "CarParkPos")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_pickle_of_more_lists_than_there_can_be_bays_is_refused(monkeypatch):
    monkeypatch.setattr(positions, "MAX_OPERATIONS", 1000)

    with pytest.raises(BadInputError, match="more than 1,000 operations"):
        read_content(b"\x80\x04" + b"]" * 1_100 + b".", "CarParkPos")


def test_of_a_pickled_list_only_pairs_are_positions():
    found = check(read_content(pickle.dumps([(10, 20), (1, 2, 3), 7]), "CarParkPos"), HD)

    assert [(row.number, row.reason) for row in found.bad] == [
        (2, "It is no pair of whole numbers."),
        (3, "It is no pair of whole numbers."),
    ]
