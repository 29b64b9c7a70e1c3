"""CAP comes from a folder, an address or a topic, and goes to a folder and a topic."""

import http.server
import os
import socket
import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from core.field.inbox import Inbound
from core.incidents import cap
from core.incidents.cap import CapAlert, CapInfo
from core.incidents.dispatch import DispatchService
from core.incidents.warnings import WarningPolicy, WarningService
from core.incidents.work import Disposition, HandIncident, Step, StepOrder
from core.kernel.errors import BadInputError, NotPermittedError, UnavailableError
from core.kernel.geo import GeoPoint
from core.kernel.settings import CapSettings
from core.node.cap_door import CapDoor
from tests.fixtures.room import OLGA, VERA, room  # noqa: F401


def message(room, number=1):  # noqa: F811
    info = CapInfo(
        event="Flood",
        headline=f"Flood {number}",
        urgency="Immediate",
        severity="Severe",
        certainty="Observed",
        expires=room.clock.now() + timedelta(hours=1),
    )
    return cap.to_xml(
        CapAlert(
            identifier=f"A-{number}",
            sender="office@example.org",
            sent=room.clock.now(),
            status="Actual",
            msg_type="Alert",
            infos=(info,),
        )
    )


@pytest.fixture
def site(room):  # noqa: F811
    """A site's services and what it sent to the broker."""

    class Site:
        def __init__(self):
            self.sent = []
            self.is_connected = True
            self.warnings = WarningService(room.store, room.bus, room.clock, room.incidents, WarningPolicy())
            self.dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")

        def door(self, **settings):
            return CapDoor(
                CapSettings(**settings),
                self.warnings,
                self.dispatch,
                tenant="city",
                site="Marenholm",
                send=self._send,
                clock=room.clock,
            )

        def titles(self):
            return sorted(warning.title for warning in self.warnings.warnings())

        def _send(self, topic, data):
            if self.is_connected:
                self.sent.append((topic, data))
            return self.is_connected

    return Site()


@pytest.fixture
def serve():
    """Return a function that serves documents by path on this machine; returns the address."""
    servers = []

    def start(documents):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = documents.get(self.path)
                if isinstance(found, str):
                    self.send_response(302)
                    self.send_header("Location", found)
                    self.end_headers()
                    return
                self.send_response(200 if found is not None else 404)
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def put(folder, name, data):
    """Write a file as one that has been there for a while."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(data)
    os.utime(file, (1, 1))
    return file


def one_fault(door):
    (sentence,) = door.faults().values()
    return sentence


def feed(*entries):
    """Make a feed of (address, time of the last change)."""
    parts = (f'<entry><updated>{at}</updated><link href="{address}"/></entry>' for address, at in entries)
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{"".join(parts)}</feed>'.encode()


def test_files_that_appear_in_the_folder_are_read_once_and_others_left_alone(room, site, tmp_path):  # noqa: F811
    folder = tmp_path / "in"
    put(folder, "a.cap", message(room, 1))
    put(folder, "b.XML", message(room, 2))
    put(folder, "readme.txt", message(room, 3))
    door = site.door(folder=str(folder))

    room.run(door.look())

    assert site.titles() == ["Flood 1", "Flood 2"]
    assert door.faults() == {}


def test_a_file_that_is_no_cap_stops_nothing(room, site, tmp_path):  # noqa: F811
    folder = tmp_path / "in"
    put(folder, "a.cap", b"\x00 not even XML")
    put(folder, "b.cap", message(room))

    door = site.door(folder=str(folder))

    room.run(door.look())

    assert (site.titles(), site.warnings.n_refused) == (["Flood 1"], 1)
    assert "a.cap" in one_fault(door), "a warning that is not used is told to people, not only to the log"
    room.clock.advance(seconds=25 * 3600)
    assert door.faults() == {}


def test_a_file_that_cannot_be_read_is_named_and_holds_up_no_other(room, site, tmp_path):  # noqa: F811
    folder = tmp_path / "in"
    put(folder, "b.cap", message(room))
    (folder / "a.cap").symlink_to(folder / "a.cap")
    door = site.door(folder=str(folder))

    room.run(door.look())

    assert site.titles() == ["Flood 1"]
    assert "a.cap" in one_fault(door)


def test_of_many_updates_that_wait_the_last_one_calls_once(room, site, tmp_path):  # noqa: F811
    folder, first = tmp_path / "in", cap.parse(message(room))
    put(folder, "0.cap", cap.to_xml(first))
    for number in range(1, 5):
        sent = first.sent + timedelta(seconds=number)
        info = replace(first.infos[0], headline=f"Flood, {number} m")
        update = replace(
            first,
            identifier=f"U-{number}",
            sent=sent,
            msg_type="Update",
            references=(first.reference,),
            infos=(info,),
        )
        put(folder, f"{number}.cap", cap.to_xml(update))

    room.run(site.door(folder=str(folder)).look())

    (alarm,) = room.run(room.incidents.open_alarms())
    assert (alarm.title, alarm.n_calls, alarm.n_repeats) == ("Flood, 4 m", 1, 0)


def test_a_folder_that_is_not_there_is_said(room, site, tmp_path):  # noqa: F811
    door = site.door(folder=str(tmp_path / "nowhere"))

    room.run(door.look())

    assert "cannot be read" in one_fault(door)


def test_an_address_gives_a_message_or_a_feed_of_them(room, site, serve):  # noqa: F811
    documents = {"/1": message(room, 1), "/2": message(room, 2)}
    address = serve(documents)
    documents["/feed"] = (
        '<feed xmlns="http://www.w3.org/2005/Atom">'
        f'<entry><link href="{address}/2"/></entry><entry><link href="http://elsewhere.invalid/3"/></entry></feed>'
    ).encode()

    for path in ("/1", "/feed"):
        room.run(site.door(url=f"{address}{path}").fetch())

    assert site.titles() == ["Flood 1", "Flood 2"]


def test_a_message_of_a_feed_that_does_not_answer_holds_up_no_other_and_is_asked_for_again(
    room,  # noqa: F811
    site,
    serve,
    monkeypatch,
):
    monkeypatch.setattr("core.node.cap_door.MAX_LINKS", 2)
    documents = {"/3": message(room, 3)}
    address = serve(documents)
    documents["/feed"] = feed(*((f"{address}/{n}", "") for n in (1, 2, 3)))
    door = site.door(url=f"{address}/feed")

    for _ in range(2):
        room.run(door.fetch())
    assert site.titles() == ["Flood 3"]
    assert "2 of 3 messages" in one_fault(door)
    assert door.silent_places() == {}, "what answers may warn"

    documents["/1"], documents["/2"] = message(room, 1), message(room, 2)
    room.run(door.fetch())
    assert site.titles() == ["Flood 1", "Flood 2", "Flood 3"]
    assert door.faults() == {}


def test_what_a_feed_says_has_changed_is_read_again_and_may_stand_beside_it(room, site, serve):  # noqa: F811
    documents = {"/now.cap": message(room, 1)}
    address = serve(documents)
    documents["/feed"] = feed(("now.cap", "2026-01-01T00:00:00Z"))
    door = site.door(url=f"{address}/feed")
    room.run(door.fetch())

    documents["/now.cap"] = message(room, 2)
    room.run(door.fetch())
    assert site.titles() == ["Flood 1"]
    documents["/feed"] = feed(("now.cap", "2026-01-01T01:00:00Z"))
    room.run(door.fetch())
    assert site.titles() == ["Flood 1", "Flood 2"]


@pytest.mark.parametrize("n_silent", [0, 2])
def test_of_a_feed_that_says_each_time_that_all_has_changed_every_message_has_its_turn(
    room,  # noqa: F811
    site,
    serve,
    monkeypatch,
    n_silent,
):
    monkeypatch.setattr("core.node.cap_door.MAX_LINKS", 2)
    documents = {f"/{n}": message(room, n) for n in range(n_silent, 5)}
    address = serve(documents)
    door = site.door(url=f"{address}/feed")

    for minute in range(3):
        documents["/feed"] = feed(*((f"/{n}", f"2026-01-01T00:{minute:02}:00Z") for n in range(5)))
        room.run(door.fetch())

    assert site.titles() == [f"Flood {n}" for n in range(n_silent, 5)]


def test_of_several_links_of_an_entry_the_one_to_cap_is_followed(room, site, serve):  # noqa: F811
    documents = {"/1": message(room, 1), "/page": b"<html>Flood</html>"}
    address = serve(documents)
    documents["/feed"] = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="/page" type="text/html"/>'
        b'<link href="/1" type="application/cap+xml"/></entry></feed>'
    )
    door = site.door(url=f"{address}/feed")

    room.run(door.fetch())

    assert (site.titles(), door.faults()) == (["Flood 1"], {})


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"<html><body>Please sign in</body></html>", "neither a CAP message nor a feed"),
        (feed(("http://elsewhere.invalid/1", "")), "another host (elsewhere.invalid)"),
    ],
    ids=["a page", "a feed of another host"],
)
def test_an_address_that_answers_with_something_else_is_said(room, site, serve, answer, sentence):  # noqa: F811
    door = site.door(url=f"{serve({'/cap': answer})}/cap")

    room.run(door.fetch())

    assert sentence in door.faults()["url"]
    assert list(door.silent_places()) == ["url"], "nothing comes from there"


@pytest.mark.parametrize(
    ("other", "named"),
    [("http://elsewhere.invalid/2", "elsewhere.invalid"), ("http://[2", "http://[2")],
    ids=["of another host", "that is no address"],
)
def test_a_link_that_is_not_asked_for_is_said_and_holds_up_no_other(room, site, serve, other, named):  # noqa: F811
    documents = {"/1": message(room), "/feed": feed(("/1", ""), (other, ""))}
    address = f"{serve(documents)}/feed"
    door = site.door(url=address)

    room.run(door.fetch())

    assert site.titles() == ["Flood 1"]
    assert one_fault(door) == f"The feed {address} names 1 of 2 messages at another host ({named}), which is not asked."
    assert door.silent_places() == {}

    documents["/feed"] = feed(("/1", ""))
    room.run(door.fetch())
    assert door.faults() == {}


def test_an_address_that_answers_with_nothing_while_nothing_is_the_matter_is_no_fault(room, site, serve):  # noqa: F811
    door = site.door(url=f"{serve({'/cap': b' '})}/cap")

    room.run(door.fetch())

    assert door.faults() == {}


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<alert", b"What?\r\n\r\n"],
    ids=["broken off", "no HTTP"],
)
def test_an_answer_that_is_no_whole_http_is_said_and_ends_nothing(room, site, answer):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk():
            line, _ = server.accept()
            with line:
                line.recv(4096)
                line.sendall(answer)

        thread = threading.Thread(target=talk)
        thread.start()
        door = site.door(url=f"http://127.0.0.1:{server.getsockname()[1]}/cap")
        room.run(door.fetch())
        thread.join()

    assert "does not answer" in one_fault(door)


@pytest.mark.parametrize("path", ["/gone", "/away"])
def test_an_address_that_does_not_answer_is_said_and_a_redirect_leads_nowhere_else(
    room,  # noqa: F811
    site,
    serve,
    path,
):
    address = serve({"/away": "ftp://127.0.0.1/secret"})
    door = site.door(url=f"{address}{path}")

    room.run(door.fetch())

    assert site.titles() == []
    assert "does not answer" in one_fault(door)


def test_a_message_of_the_topic_is_taken_at_the_next_look(room, site):  # noqa: F811
    door = site.door(topic="warnings/#")
    at = datetime.now().astimezone()
    for payload in (message(room), b""):
        door.take_message(Inbound(topic="warnings/flood", payload=payload, qos=1, is_retained=True, received_at=at))

    room.run(door.look())

    assert site.titles() == ["Flood 1"]


def test_an_incident_is_published_updated_and_cancelled_in_both_places(room, site, tmp_path):  # noqa: F811
    door = site.door(publish_folder=str(tmp_path / "out"), publish_topic="cap/out", publish_status="Exercise")
    incident = room.run(
        site.dispatch.open_by_hand(OLGA, HandIncident(kind="fire", title="Smoke", position=GeoPoint(52.0, 8.0)))
    )

    kinds = [room.run(door.publish(OLGA, incident.incident_id)).msg_type]
    room.clock.advance(seconds=60)
    kinds.append(room.run(door.publish(OLGA, incident.incident_id)).msg_type)
    order = StepOrder(step=Step.CLOSE, disposition=Disposition.NO_ACTION)
    room.run(site.dispatch.take_step(OLGA, incident.incident_id, order, expect_version=3))
    room.clock.advance(seconds=60)
    kinds.append(room.run(door.publish(OLGA, incident.incident_id)).msg_type)

    assert kinds == ["Alert", "Update", "Cancel"]
    files = [cap.parse(file.read_bytes()) for file in sorted((tmp_path / "out").iterdir())]
    assert files == [cap.parse(data) for _topic, data in site.sent]
    assert [one.status for one in files] == ["Exercise"] * 3
    assert [one.identifier for one in files[2].references] == [files[0].identifier, files[1].identifier]
    assert files[1].references == (files[0].reference,)
    told = [entry.what for entry in room.run(site.dispatch.detail(incident.incident_id)).timeline]
    assert told == ["Opened by hand", "Published as CAP", "Published as CAP", "Closed", "Published as CAP"]


def test_what_was_not_sent_is_not_written_down(room, site):  # noqa: F811
    door = site.door(publish_topic="cap/out")
    incident = room.run(site.dispatch.open_by_hand(OLGA, HandIncident(kind="fire", title="Smoke")))
    site.is_connected = False

    with pytest.raises(UnavailableError, match="broker is away"):
        room.run(door.publish(OLGA, incident.incident_id))
    with pytest.raises(NotPermittedError):
        room.run(door.publish(VERA, incident.incident_id))
    with pytest.raises(BadInputError, match="No place for CAP"):
        room.run(site.door().publish(OLGA, incident.incident_id))

    assert room.run(site.dispatch.published(incident.incident_id)) == ()
