import http.server
import threading

import pytest

from core.kernel.errors import BadInputError, UnavailableError
from widgets.map.tile_grid import TileKey
from widgets.map.xyz import XyzServer


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/9/1/1.png":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"picture of " + self.path.encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def tile_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def template_of(server):
    return f"http://127.0.0.1:{server.server_address[1]}/{{z}}/{{x}}/{{y}}.png"


def test_a_tile_is_fetched_once_and_then_read_from_disk(tile_server, tmp_path):
    tiles = XyzServer(template_of(tile_server), tmp_path)

    first, second = tiles.read(TileKey(3, 4, 5)), tiles.read(TileKey(3, 4, 5))

    assert first == second == b"picture of /3/4/5.png"
    assert tile_server.asked == ["/3/4/5.png"]


def test_a_tile_the_server_does_not_have_is_none(tile_server, tmp_path):
    assert XyzServer(template_of(tile_server), tmp_path).read(TileKey(9, 1, 1)) is None


def test_an_old_tile_is_shown_while_the_server_is_away(tile_server, tmp_path):
    template = template_of(tile_server)
    XyzServer(template, tmp_path).read(TileKey(3, 4, 5))
    tile_server.shutdown()
    tile_server.server_close()

    assert XyzServer(template, tmp_path, keep_s=0.0).read(TileKey(3, 4, 5)) == b"picture of /3/4/5.png"


def test_a_dead_server_is_not_asked_for_every_tile(tmp_path):
    tiles = XyzServer("http://127.0.0.1:9/{z}/{x}/{y}.png", tmp_path)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        tiles.read(TileKey(1, 0, 0))

    with pytest.raises(UnavailableError, match="a moment ago"):
        tiles.read(TileKey(1, 1, 0))


@pytest.mark.parametrize("template", ["file:///etc/{z}/{x}/{y}", "https://tiles.example/{z}/{x}.png", ""])
def test_an_address_that_is_no_tile_server_is_refused(template, tmp_path):
    with pytest.raises(BadInputError):
        XyzServer(template, tmp_path)
