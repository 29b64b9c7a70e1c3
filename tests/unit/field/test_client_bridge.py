"""What another program writes must not end the device, whatever it is."""

import io
import json
import threading

import pytest

from core.field.client.bridge import BridgeDevice, read_lines
from core.field.client.command import _keep
from core.field.client.device import Access, DeviceInfo
from core.field.client.runner import FieldRunner
from core.field.kinds import kind_of_key
from core.field.settings import BrokerSettings
from core.kernel.errors import ConsoleError

NOBODY = Access(broker=BrokerSettings(host="127.0.0.1", port=1))
COUNT = b'{"type": "Count", "data": {"n": 1}}'


def bridge(said=None, memory=None):
    return BridgeDevice(
        DeviceInfo(group="traffic", device="post-1", name="Post 1"),
        NOBODY,
        kind=kind_of_key("station"),
        say=(said if said is not None else []).append,
        memory_file=memory,
    )


@pytest.fixture
def device():
    made = bridge()
    made.power_on(connect_at_s=float("inf"))
    yield made
    made.power_off()


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"\xff\xfe",
        b'{"stream": "traffic_flow", "type": "TrafficFlowObserved", "data": {"intensity": 17}}',
        json.dumps({"stream": "s" * 65, "type": "TrafficFlowObserved", "data": {}}).encode(),
        json.dumps({"stream": "flow", "type": "T" * 65, "data": {}}).encode(),
        json.dumps({"type": "T" * 65, "data": {}}).encode(),
        b'{"data": {"n": 1}}',
        b'{"stream": "flow", "data": [1]}',
        json.dumps({"reported": {"k" * 65: 1}}).encode(),
        b'{"id": "01J", "status": "perhaps"}',
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_left_and_the_next_one_counts(device, line, caplog):
    device.take_line(line)
    assert "a line cannot be used" in caplog.text
    assert device.n_waiting == 0

    device.tell_state()
    device.take_line(COUNT)
    assert device.n_waiting == 1


def test_a_memory_that_cannot_be_written_costs_the_line_and_not_the_device(device, caplog):
    device.take_line(COUNT)
    (n_pages,) = device._db.execute("PRAGMA page_count").fetchone()
    device._db.execute(f"PRAGMA max_page_count = {n_pages}")
    for _ in range(100):
        device.take_line(b'{"type": "Count", "data": {"text": "%s"}}' % (b"x" * 500))
    assert "a line is lost" in caplog.text

    device._db.execute("PRAGMA max_page_count = 100000")
    n_before = device.n_waiting
    device.take_line(COUNT)
    assert device.n_waiting == n_before + 1


def test_bytes_that_are_no_text_do_not_end_the_reading():
    lines, at_end = [], threading.Event()
    read_lines(io.BytesIO(b"\xff\xfe\n\n" + COUNT + b"\n"), lines.append, at_end.set)

    assert at_end.wait(10)
    assert lines == [b"\xff\xfe\n", COUNT + b"\n"]


def test_an_order_that_fails_takes_no_other_with_it():
    runner, is_done = FieldRunner([bridge()]), threading.Event()
    runner.start()
    try:
        runner.call_soon(lambda: 1 // 0)
        runner.call_soon(is_done.set)

        assert is_done.wait(10)
        assert runner.is_running
    finally:
        runner.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_client_whose_devices_stopped_ends_with_an_error_so_that_it_is_started_again(monkeypatch):
    device = bridge()

    def die():
        raise KeyboardInterrupt

    monkeypatch.setattr(device, "measure", die)
    with pytest.raises(ConsoleError, match="The devices stopped"):
        _keep(FieldRunner([device]), [device], threading.Event(), for_s=20.0, has_ended=threading.Event())


def test_a_client_whose_memory_cannot_be_used_ends_with_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    device = bridge(memory=tmp_path / "file" / "memory.sqlite3")

    with pytest.raises(ConsoleError, match="The devices stopped"):
        _keep(FieldRunner([device]), [device], threading.Event(), for_s=20.0, has_ended=threading.Event())
