"""The shipped map is a well-formed MBTiles file of the demo city, in colours that no alarm uses."""

import colorsys
import io
import math
import sqlite3
import struct

import pytest
from PIL import Image

import resources
from core.sim.city import load_city


@pytest.fixture
def tiles():
    database = sqlite3.connect(f"file:{resources.path('basemap/marenholm.mbtiles')}?mode=ro", uri=True)
    yield database
    database.close()


def tile_at(database, lat_deg, lon_deg, zoom):
    n_tiles = 2**zoom
    column = int((lon_deg + 180) / 360 * n_tiles)
    lat = math.radians(lat_deg)
    row = int((1 - math.log(math.tan(math.pi / 4 + lat / 2)) / math.pi) / 2 * n_tiles)
    found = database.execute(
        "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
        (zoom, column, n_tiles - 1 - row),
    ).fetchone()
    return found and found[0]


def test_its_metadata_is_what_mbtiles_asks_for(tiles):
    metadata = dict(tiles.execute("SELECT name, value FROM metadata"))

    assert (metadata["name"], metadata["format"]) == ("Marenholm", "png")
    assert (metadata["minzoom"], metadata["maxzoom"]) == ("11", "17")
    west, south, east, north = (float(part) for part in metadata["bounds"].split(","))
    assert west < -30 < east
    assert south < 36 < north


def test_it_stays_small():
    assert resources.path("basemap/marenholm.mbtiles").stat().st_size < 6_000_000


@pytest.mark.parametrize("zoom", range(11, 18))
def test_every_camera_and_station_is_on_a_tile(tiles, zoom):
    city = load_city()
    for thing in (*city.cameras, *city.stations, *city.lots):
        data = tile_at(tiles, thing.position.lat_deg, thing.position.lon_deg, zoom)
        assert data is not None, thing.key
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", data[16:24]) == (256, 256)


def test_no_colour_of_the_map_is_bright_and_strong_at_once(tiles):
    for (data,) in tiles.execute("SELECT tile_data FROM tiles WHERE zoom_level IN (12, 14, 16)"):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        for _n, colour in image.getcolors(65_536):
            _hue, _lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
            assert max(colour) - min(colour) <= 30, colour
            assert saturation < 0.5
