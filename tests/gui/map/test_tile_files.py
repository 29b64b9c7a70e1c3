import sqlite3
import struct

import pytest

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint, to_mercator
from tests.fixtures.testdata import testdata
from widgets.map.pmtiles import hilbert_id
from widgets.map.tile_grid import HALF_WORLD_M, RectM, TileKey, part_of, tile_rect, tiles_in, zoom_for
from widgets.map.tile_source import open_tiles

WORLD = RectM(-HALF_WORLD_M, -HALF_WORLD_M, HALF_WORLD_M - 1, HALF_WORLD_M)


def write_mbtiles(path, *, tiles=((0, 0, 0, b"\x89PNG"),), **metadata):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        db.execute("CREATE TABLE tiles (zoom_level INT, tile_column INT, tile_row INT, tile_data BLOB)")
        db.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
        db.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", tiles)
    db.close()
    return path


def test_the_ids_of_the_first_tiles_follow_the_specification():
    keys = [TileKey(0, 0, 0), TileKey(1, 0, 0), TileKey(1, 0, 1), TileKey(1, 1, 1), TileKey(1, 1, 0), TileKey(2, 0, 0)]

    assert [hilbert_id(key) for key in keys] == [0, 1, 2, 3, 4, 5]


def test_every_tile_of_a_zoom_has_its_own_id():
    ids = {hilbert_id(TileKey(5, x, y)) for x in range(32) for y in range(32)}

    first = (4**5 - 1) // 3
    assert ids == set(range(first, first + 1024))


@pytest.mark.parametrize(
    ("name", "zooms", "n_tiles"),
    [
        ("basemap/plain_1.mbtiles", (0, 4), 285),
        ("basemap/stamen_toner_z3.pmtiles", (0, 3), 85),
    ],
)
def test_a_real_file_gives_all_its_tiles(name, zooms, n_tiles):
    tiles = open_tiles(testdata(name))

    found = [tiles.read(key) for zoom in range(zooms[1] + 1) for key in tiles_in(WORLD, zoom)]
    assert (tiles.info.min_zoom, tiles.info.max_zoom) == zooms
    assert sum(data is not None for data in found) == n_tiles
    tiles.close()


def test_a_deep_pmtiles_file_gives_the_tiles_of_its_area():
    tiles = open_tiles(testdata("basemap/usgs_mt_whitney_8-15_webp512.pmtiles"))

    south, west, north, east = tiles.info.bounds_lat_lon
    left, bottom = to_mercator(GeoPoint(south, west))
    right, top = to_mercator(GeoPoint(north, east))
    keys = [key for zoom in range(8, 16) for key in tiles_in(RectM(left, bottom, right, top), zoom)]
    assert all(tiles.read(key).startswith(b"RIFF") for key in keys)
    assert tiles.read(TileKey(15, 0, 0)) is None
    tiles.close()


def test_rows_of_an_mbtiles_file_are_counted_from_the_south(tmp_path):
    path = write_mbtiles(tmp_path / "a.mbtiles", tiles=[(1, 0, 1, b"north"), (1, 0, 0, b"south")])

    tiles = open_tiles(path)

    assert tiles.read(TileKey(1, 0, 0)) == b"north"
    assert tiles.read(TileKey(1, 0, 1)) == b"south"
    tiles.close()


def test_a_closed_file_gives_no_tile(tmp_path):
    tiles = open_tiles(write_mbtiles(tmp_path / "a.mbtiles"))

    tiles.close()

    assert tiles.read(TileKey(0, 0, 0)) is None


def test_a_missing_map_is_named_in_the_sentence(tmp_path):
    with pytest.raises(BadInputError, match=r"gone\.mbtiles cannot be opened"):
        open_tiles(tmp_path / "gone.mbtiles")


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(b"\xff\xd8 not a map")

    with pytest.raises(BadInputError, match="neither an MBTiles nor a PMTiles"):
        open_tiles(path)


def test_a_vector_map_is_refused_with_a_way_out(tmp_path):
    path = write_mbtiles(tmp_path / "v.mbtiles", format="pbf")

    with pytest.raises(BadInputError) as caught:
        open_tiles(path)

    assert "raster" in caught.value.hint


def test_a_map_without_tiles_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="holds no tiles"):
        open_tiles(write_mbtiles(tmp_path / "e.mbtiles", tiles=()))


def test_a_torn_mbtiles_file_is_refused(tmp_path):
    path = write_mbtiles(tmp_path / "t.mbtiles", tiles=[(0, 0, 0, b"x" * 20_000)])
    path.write_bytes(path.read_bytes()[:1024])

    with pytest.raises(BadInputError, match=r"t\.mbtiles cannot be read"):
        open_tiles(path)


@pytest.mark.parametrize("n_bytes", [20, 127, 200, 400])
def test_a_torn_pmtiles_file_never_gives_anything_but_a_sentence(tmp_path, n_bytes):
    whole = testdata("basemap/stamen_toner_z3.pmtiles").read_bytes()
    path = tmp_path / "torn.pmtiles"
    path.write_bytes(whole[:n_bytes])

    with pytest.raises(BadInputError, match=r"torn\.pmtiles"):
        open_tiles(path).read(TileKey(0, 0, 0))


def test_a_directory_that_unpacks_to_nonsense_is_refused(tmp_path):
    whole = bytearray(testdata("basemap/stamen_toner_z3.pmtiles").read_bytes())
    root_offset, root_length = struct.unpack_from("<2Q", whole, 8)
    whole[root_offset : root_offset + root_length] = b"\xff" * root_length
    path = tmp_path / "bad.pmtiles"
    path.write_bytes(whole)

    with pytest.raises(BadInputError, match="damaged"):
        open_tiles(path)


def test_the_zoom_is_the_one_whose_pixels_are_nearest_the_screens():
    resolution_at_12_m = 2 * HALF_WORLD_M / (256 * 2**12)

    assert zoom_for(resolution_at_12_m, 256, 0, 17) == 12
    assert zoom_for(resolution_at_12_m, 512, 0, 17) == 11
    assert zoom_for(resolution_at_12_m / 1000, 256, 0, 17) == 17


def test_a_child_lies_in_the_right_quarter_of_its_ancestor():
    assert part_of(TileKey(1, 1, 0), TileKey(2, 3, 1)) == (0.5, 0.5, 0.5)


def test_tiles_of_one_zoom_cover_the_view_without_gaps():
    view = RectM(-3_340_000, 4_300_000, -3_330_000, 4_306_000)

    rects = [tile_rect(key) for key in tiles_in(view, 13)]

    assert min(rect.left for rect in rects) <= view.left
    assert max(rect.right for rect in rects) >= view.right
    assert min(rect.bottom for rect in rects) <= view.bottom
    assert max(rect.top for rect in rects) >= view.top
