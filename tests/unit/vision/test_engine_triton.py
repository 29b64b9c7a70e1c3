import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from core.kernel.errors import BadInputError, UnavailableError
from core.sim.kserve import InferenceServer
from core.vision import engine_triton
from core.vision.engine import open_engine
from core.vision.models import find_model
from tests.unit.vision.toy_model import WH, bright_square, save_toy_openvino


@pytest.fixture
def local(tmp_path):
    engine = open_engine(
        find_model(save_toy_openvino(tmp_path / "toy_openvino_model"), folder=tmp_path, allow_download=False),
        n_threads=1,
    )
    yield engine
    engine.close()


@pytest.fixture
def server(local):
    with InferenceServer(local) as server:
        yield server


@pytest.fixture
def remote(server, tmp_path):
    engine = open_engine(find_model(server.url, folder=tmp_path, allow_download=False), n_threads=1)
    yield engine
    engine.close()


def find(url, tmp_path):
    return find_model(url, folder=tmp_path, allow_download=False)


def test_a_model_on_a_server_sees_what_the_same_model_sees_here(remote, local):
    pictures = np.concatenate([bright_square(2, 1), np.zeros_like(bright_square(0, 0)), bright_square(0, 0)])

    ours, theirs = local.infer(pictures), remote.infer(pictures)

    assert [len(boxes) for boxes in theirs] == [1, 0, 1]
    for here, there in zip(ours, theirs, strict=True):
        assert there == pytest.approx(here, abs=1e-3)


def test_size_classes_and_batch_come_from_the_server(remote, server):
    assert (remote.info.engine, remote.info.input_wh, remote.info.labels) == ("triton", WH, ("car", "bus"))
    assert remote.info.device in server.url
    assert "version 3" in remote.info.reason
    assert remote.n_batch == 8


def test_several_pictures_are_one_request(remote, server):
    remote.infer(np.concatenate([bright_square(0, 0)] * 6))

    assert server.largest_batch == 6


def test_a_server_that_is_away_gives_a_sentence(server, tmp_path):
    model = find(server.url, tmp_path)
    server.__exit__()

    with pytest.raises(UnavailableError, match="cannot be reached") as refused:
        open_engine(model)

    assert "8000" in refused.value.hint


def test_a_server_that_hangs_is_given_up_in_time(remote, server, monkeypatch):
    remote._connection.sock.settimeout(0.3)
    server.hang.clear()

    with pytest.raises(UnavailableError, match="does not answer in time"):
        remote.infer(bright_square(0, 0))

    server.hang.set()
    assert len(remote.infer(bright_square(0, 0))[0]) == 1


def test_a_server_that_hung_up_in_between_is_called_again(remote):
    remote._connection.sock.shutdown(socket.SHUT_RDWR)

    assert len(remote.infer(bright_square(0, 0))[0]) == 1


def test_what_the_server_complains_of_reaches_the_operator(remote, server):
    server.is_broken = True

    with pytest.raises(UnavailableError, match="the card fell off the bus"):
        remote.infer(bright_square(0, 0))


def test_another_name_is_refused(server, tmp_path):
    with pytest.raises(BadInputError, match="unknown model 'boats'"):
        open_engine(find(server.url.replace("roads", "boats"), tmp_path))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("grpc://gpu:8001/roads", "not over gRPC"),
        ("http://gpu:8000", "names no inference server and model"),
        ("http:///roads", "names no inference server and model"),
        ("http://gpu:port/roads", "names no inference server and model"),
        ("http://[gpu:8000/roads", "names no inference server and model"),
        ("rtsp://gpu:8000/roads", "names no inference server and model"),
        ("http://me:secret@gpu:8000/roads", "holds a password"),
        ("HTTPS://me:secret@gpu:8000/roads", "holds a password"),
        ("grpc://me:secret@gpu:8001/roads", "holds a password"),
        ("grpcs://me:secret@gpu:8001/roads", "holds a password"),
        ("grpc://secret@gpu:8001/roads", "holds a password"),
        ("http://me:sec/secret@gpu:8000/roads", "holds a password"),
        ("http://[me:secret@gpu:8000/roads", "holds a password"),
        ("http://gpu:8000/roads?token=secret", "holds a password"),
        ("me:secret@gpu:8000/roads", "holds a password"),
        ("me:secret@gpu", "holds a password"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_a_way_out(url, sentence, tmp_path):
    with pytest.raises(BadInputError, match=sentence) as refused:
        open_engine(find(url, tmp_path))

    assert refused.value.hint
    assert "secret" not in str(refused.value)


def test_an_engine_refuses_a_login_by_itself(tmp_path):
    model = replace(find("grpc://gpu:8001/roads", tmp_path), url="grpc://me:secret@gpu:8001/roads")

    with pytest.raises(BadInputError, match="holds a password") as refused:
        open_engine(model)

    assert "secret" not in str(refused.value)


def test_the_way_out_of_grpc_names_host_and_port(tmp_path):
    with pytest.raises(BadInputError, match="not over gRPC") as refused:
        open_engine(find("grpc://gpu:8001/roads", tmp_path))

    assert "gpu:8001" in refused.value.hint


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": []}, "does not describe"),
        ({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1, 3, 64, 96]}]}, "its input is BYTES"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 10]}]}, "not pictures"),
    ],
)
def test_a_model_that_is_no_detector_is_refused(server, tmp_path, monkeypatch, change, sentence):
    describe = server.describe
    server.describe = lambda path: found if (found := describe(path)) is None else {**found, **change}

    with pytest.raises(BadInputError, match=sentence):
        open_engine(find(server.url, tmp_path))


def test_a_server_without_classes_is_refused(server, tmp_path):
    describe = server.describe
    server.describe = lambda path: None if path.endswith("/config") else describe(path)

    with pytest.raises(BadInputError, match="does not tell the classes"):
        open_engine(find(server.url, tmp_path))


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"outputs": [{"name": "a"}]}', b"\xff\xfe"])
def test_half_an_answer_is_no_answer(answer):
    with pytest.raises(UnavailableError, match="cannot be read"):
        engine_triton._read_outputs(answer, None)


def test_a_file_is_no_model_for_a_server(tmp_path):
    with pytest.raises(BadInputError, match="is a file"):
        open_engine(
            find_model(save_toy_openvino(tmp_path / "toy_openvino_model"), folder=tmp_path, allow_download=False),
            prefer="triton",
        )


def test_a_server_that_ended_is_out_of_its_engine_and_does_not_go_back(server, local, monkeypatch):
    pictures = np.zeros((1, 3, WH[1], WH[0]), np.float32)
    request = ({"inputs": [{"shape": list(pictures.shape)}]}, pictures.tobytes())
    has_begun, look = threading.Event(), local.infer

    def look_until_the_server_ends(rgb):
        has_begun.set()
        server._thread.join(30)
        return look(rgb)

    monkeypatch.setattr(local, "infer", look_until_the_server_ends)
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(server.infer, *request)
        assert has_begun.wait(30)

        server.__exit__()

        assert server.n_pictures == 1
        assert answer.exception() is None
        with pytest.raises(ConnectionAbortedError):
            server.infer(*request)
