"""Whatever comes, the gateway answers with a sentence and never with a fault of its own."""

import asyncio
import contextlib
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.http.openapi import make_document
from tests.fixtures.http_gate import Gate, jpeg

OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in make_document()["paths"].items()
    for method, operation in operations.items()
]
WORDS = st.text(max_size=40) | st.sampled_from(
    [
        "market",
        "north",
        "0",
        "-1",
        "1e999",
        "NaN",
        "2026-11-22T03:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "\x00",
        "../..",
        "٣",
    ]
)
PICTURE = jpeg()
BODIES = (
    st.binary(max_size=400)
    | st.just(PICTURE)
    | st.integers(0, len(PICTURE)).map(lambda n: PICTURE[:n])
    | st.builds(
        lambda at, value: PICTURE[:at] + bytes([value]) + PICTURE[at + 1 :],
        st.integers(0, len(PICTURE) - 1),
        st.integers(0, 255),
    )
    | st.binary(max_size=200).map(lambda data: b"--x\r\n" + data + b"\r\n--x--")
)
KINDS = st.sampled_from(["image/jpeg", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain; =", "é"])


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    """A gateway and the loop that it runs on."""
    runner = asyncio.Runner()

    async def begin():
        gate = Gate(tmp_path_factory.mktemp("gate"))
        await gate.start()
        return gate

    gate = runner.run(begin())
    yield gate, runner
    runner.run(gate.stop())
    runner.close()


def encoded(text: str) -> str:
    """Return text as a header may carry it."""
    return text.encode("utf-8", "replace").decode("latin-1").translate(dict.fromkeys((*range(32), 127)))


@settings(max_examples=150)
@given(data=st.data(), operation=st.sampled_from(OPERATIONS), body=BODIES, kind=KINDS, has_length=st.booleans())
def test_every_described_address_takes_anything(fuzzed, data, operation, body, kind, has_length):
    gate, runner = fuzzed
    method, path, described = operation
    query, headers = [], {"Content-Type": encoded(kind)}
    for parameter in described.get("parameters", []):
        if not (parameter["in"] == "path" or data.draw(st.booleans())):
            continue
        value = data.draw(WORDS, label=parameter["name"])
        if parameter["in"] == "path":
            value = data.draw(st.sampled_from(["market", value]))
            path = path.replace("{" + parameter["name"] + "}", quote(value, safe="") or "x")
        elif parameter["in"] == "query":
            query.append(f"{parameter['name']}={quote(value)}")
        else:
            headers[parameter["name"]] = encoded(value)
    key = data.draw(st.sampled_from([gate.edge, gate.reader, "wf_000000000000_" + "a" * 43, "é", ""]))
    headers["Authorization"] = encoded(f"Bearer {key}")
    if not has_length:
        headers["Transfer-Encoding"] = "chunked"
        headers["Content-Length"] = ""
    gate.later(400.0)

    answer = runner.run(send(gate, method, path + ("?" + "&".join(query) if query else ""), headers, body))

    assert answer.status < 500, answer
    if answer.status >= 400:
        assert answer.json["error"].endswith((".", "?"))
        assert answer.headers["content-type"] == "application/json"


async def send(gate, method, path, headers, body):
    if headers.get("Transfer-Encoding"):
        del headers["Content-Length"]
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif body:
        headers["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return await gate.send_raw(head.encode("latin-1") + b"\r\n" + body)


@settings(max_examples=60)
@given(data=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"GET {text} HTTP/1.1\r\n\r\n".encode()))
def test_bytes_that_are_no_request_end_in_an_answer_or_the_end_of_the_connection(fuzzed, data):
    gate, runner = fuzzed

    async def run():
        gate.later(400.0)
        reader, writer = await asyncio.open_connection(gate.host, int(gate.port))
        said = b""
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(), 20.0)
        writer.close()
        if said:
            head, _, body = said.partition(b"\r\n\r\n")
            assert int(head.split()[1]) < 500
            assert json.loads(body)["error"]
        assert (await gate.ask("GET", "/api/parking", key=gate.reader)).status == 200

    runner.run(run())
