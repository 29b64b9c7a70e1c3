"""The edge client: newest first, patient with a gateway that is away, and nothing but Python needed."""

import subprocess
import sys
import threading
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.gateway.edge.arguments import KEY_VARIABLE, add_arguments
from core.gateway.edge.client import Camera, EdgeClient, Sender
from core.gateway.edge.settings import EdgeSettings, settings_of
from core.gateway.edge.sources import NewestInFolder, PipeSource, Replay, open_source, split_pictures
from core.gateway.edge.spool import Spool
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from tests.fixtures.http_gate import jpeg
from tests.fixtures.processes import wait_until
from tests.fixtures.testdata import ROOT

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Gateway:
    """Answers as a test tells it to: a list of statuses, the last one for ever."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.taken = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.statuses.pop(0) if len(outer.statuses) > 1 else outer.statuses[0]
                outer.taken.append((status, body, dict(self.headers)))
                said = b'{"error": "No.", "hint": "Wait."}' if status >= 400 else b'{"note": "Taken."}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def gateway():
    made = []

    def make(*statuses):
        made.append(Gateway(*statuses))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(jpeg(seed=number))
    return folder


def client_for(address, frames, *, spool=None, loops=False, period_s=0.02):
    settings = EdgeSettings(to=address, lot="Market 1", source=f"replay:{frames}", key="wf_1_secret")
    camera = Camera(lambda: Replay(frames, loops=loops), period_s=period_s, spool=spool)
    return EdgeClient(camera, Sender(settings), spool=spool)


def test_pictures_go_out_with_key_time_and_number(gateway, frames):
    there = gateway(202)

    figures = client_for(there.address, frames, period_s=0.2).run()

    assert (figures.n_sent, figures.n_failed, figures.last_answer) == (3, 0, "Taken.")
    assert [body for _, body, _ in there.taken] == [jpeg(seed=number) for number in range(3)]
    headers = there.taken[-1][2]
    assert headers["Authorization"] == "Bearer wf_1_secret"
    assert headers["X-Sequence"] == "3"
    assert datetime.fromisoformat(headers["X-Sent-At"]) >= datetime.fromisoformat(headers["X-Captured-At"])


def test_while_the_gateway_refuses_newer_pictures_take_the_place_of_older_ones(gateway, frames, monkeypatch, tmp_path):
    monkeypatch.setattr("core.gateway.edge.client.FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr("core.gateway.edge.client.KEPT_EVERY_S", 0.02)
    there = gateway(503, 503, 202)
    spool = Spool(tmp_path / "spool", max_bytes=1_000_000)

    figures = client_for(there.address, frames, spool=spool).run()

    assert (figures.n_sent, figures.n_failed) == (1, 2)
    sent = [(body, headers.get("X-Historical")) for status, body, headers in there.taken if status == 202]
    assert sent == [(jpeg(seed=2), None), (jpeg(seed=0), "true"), (jpeg(seed=1), "true")], "the newest goes first"
    assert (len(spool), figures.n_replaced, figures.n_sent_late) == (0, 2, 2)


def test_what_was_kept_before_a_restart_is_sent_with_its_own_time(gateway, frames, monkeypatch, tmp_path):
    monkeypatch.setattr("core.gateway.edge.client.KEPT_EVERY_S", 0.02)
    Spool(tmp_path / "spool", max_bytes=1_000_000).keep(jpeg(seed=9), NOON)
    (tmp_path / "spool" / "holiday.jpg").write_bytes(b"no time in its name")
    there = gateway(202)

    client_for(there.address, frames, spool=Spool(tmp_path / "spool", max_bytes=1_000_000)).run()

    late = [headers for _, body, headers in there.taken if body == jpeg(seed=9)]
    assert [(one["X-Historical"], one["X-Captured-At"]) for one in late] == [("true", NOON.isoformat())]
    assert "X-Sequence" not in late[0]
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_kept_picture_that_nobody_takes_is_given_up_and_another_waits(gateway, frames, monkeypatch, tmp_path):
    monkeypatch.setattr("core.gateway.edge.client.KEPT_EVERY_S", 0.02)
    spool = Spool(tmp_path / "spool", max_bytes=1_000_000)
    for number in range(2):
        spool.keep(jpeg(seed=8 + number), NOON + timedelta(seconds=number))
    there = gateway(202, 400, 503)

    figures = client_for(there.address, frames, spool=spool, loops=True, period_s=0.2).run(for_s=1.0)

    assert figures.n_dropped == 1
    assert [captured_at for _, _, captured_at in [spool.oldest()]] == [NOON + timedelta(seconds=1)]


def test_a_key_that_is_refused_is_not_tried_again_and_again(gateway, frames):
    there = gateway(401)

    figures = client_for(there.address, frames, loops=True).run(for_s=0.5)

    assert len(there.taken) == 1
    assert figures.trouble == "Refused (401): No. Wait."


def test_a_gateway_that_is_away_is_a_sentence(frames):
    figures = client_for("http://127.0.0.1:9", frames, loops=True).run(for_s=0.3)

    assert figures.n_sent == 0
    assert figures.trouble.startswith("The gateway does not answer")


def test_the_spool_keeps_the_newest_within_its_size_also_after_a_restart(tmp_path):
    spool = Spool(tmp_path / "spool", max_bytes=250)
    for number in range(4):
        spool.keep(bytes([number]) * 100, NOON + timedelta(seconds=number))
    again = Spool(tmp_path / "spool", max_bytes=250)
    again.keep(b"x" * 100, NOON + timedelta(seconds=9))
    again.keep(b"y" * 1000, NOON + timedelta(seconds=10))

    assert again.n_dropped == 2
    kept = sorted((tmp_path / "spool").iterdir())
    assert [file.read_bytes()[:1] for file in kept] == [b"\x03", b"x"]
    assert kept[0].name == "20261122T120003_000000Z.jpg"
    assert again.n_bytes == 200


def test_a_folder_gives_its_newest_whole_picture_once(frames, monkeypatch):
    monkeypatch.setattr("core.gateway.edge.sources.SETTLED_S", 0.0)
    (frames / "1.jpg").write_bytes(b"newest")
    source = NewestInFolder(frames)

    assert source.take() == b"newest"
    assert source.take() is None


def test_a_stream_of_pictures_is_cut_where_each_ends():
    first, second = jpeg(seed=1), jpeg(seed=2)
    pictures, rest = split_pictures(b"junk" + first + second + second[:50])

    assert pictures == [first, second]
    assert rest == second[:50]


def test_a_program_that_writes_pictures_is_read_and_its_end_is_noticed():
    script = f"import sys; sys.stdout.buffer.write(bytes.fromhex('{jpeg().hex()}'))"
    source = PipeSource([sys.executable, "-c", script])
    try:
        found = []
        wait_until(lambda: found.append(source.take()) or found[-1] is not None, what="a picture")
        assert found[-1] == jpeg()
        with pytest.raises(UnavailableError):
            wait_until(lambda: source.take() is not None, what="the end")
    finally:
        source.close()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("tape:1", "no source"), ("folder:/nowhere", "no folder"), ("webcam:x", "no source"), ("replay:", "no JPEG")],
)
def test_a_source_that_is_none_is_a_sentence(source, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match=sentence):
        open_source(source, period_s=1.0, width=640, loops=False)


@pytest.mark.parametrize("source", ["cam_1:geheim@127.0.0.1/s", "rtsp://cam_1:geheim@127.0.0.1:9/s"])
def test_a_camera_s_password_stands_in_no_sentence_and_not_in_the_settings(source, monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ConsoleError) as refusal:
        open_source(source, period_s=1.0, width=640, loops=False)

    assert "geheim" not in str(refusal.value)
    assert "geheim" not in repr(EdgeSettings(to="http://127.0.0.1:9", lot="market", source=source, key="wf_1_secret"))


def test_settings_come_from_a_file_arguments_beat_it_and_the_key_stands_apart(tmp_path, monkeypatch):
    file = tmp_path / "pi.toml"
    file.write_text('to = "https://node:8480"\nlot = "market"\nsource = "picamera"\nperiod_s = 5\n', encoding="utf-8")
    parser = ArgumentParser()
    add_arguments(parser)

    monkeypatch.setenv(KEY_VARIABLE, "wf_1_s")
    settings = settings_of(parser.parse_args(["--config", str(file), "--period", "1"]))
    assert (settings.to, settings.period_s, settings.key) == ("https://node:8480", 1.0, "wf_1_s")
    assert "wf_1_s" not in repr(settings)

    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(BadInputError, match="device key is missing"):
        settings_of(parser.parse_args(["--config", str(file)]))
    file.write_text("period = 5\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="no setting 'period'"):
        settings_of(parser.parse_args(["--config", str(file)]))


def test_it_runs_where_nothing_but_python_is_installed():
    command = [sys.executable, "-S", "-E", "-m", "core.gateway.edge", "--to", "http://127.0.0.1:9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 1
    assert "The setting 'lot' is missing." in done.stderr
