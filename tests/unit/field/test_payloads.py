import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.field.kinds import kind_for
from core.field.payloads import MAX_DEPTH, Birth, Envelope, PayloadError, Quality, Status, decode, read
from core.gateway.asyncapi import data_models

TS = "2026-11-20T21:54:03.120Z"
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=10), inner, max_size=5)),
    max_leaves=20,
)


def body(**fields):
    return json.dumps({"v": 1, "ts": TS, "data": {}, **fields}).encode()


@given(st.binary(max_size=400))
def test_bytes_from_outside_raise_nothing_but_a_payload_error(payload):
    with contextlib.suppress(PayloadError):
        read(payload, Envelope)


@given(
    st.dictionaries(st.sampled_from(["v", "id", "type", "ts", "boot", "seq", "q", "hist", "data", "x"]), json_values)
)
@pytest.mark.parametrize("kind", [Envelope, Birth, Status])
def test_json_of_any_shape_raises_nothing_but_a_payload_error(kind, value):
    with contextlib.suppress(PayloadError):
        read(json.dumps(value).encode(), kind)


@given(st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", sorted(data_models()))
def test_data_of_any_shape_raises_nothing_but_a_payload_error(name, data):
    fields = [field.alias or key for key, field in data_models()[name].model_fields.items()]
    value = data.draw(st.dictionaries(st.sampled_from(fields), json_values))
    with contextlib.suppress(PayloadError):
        kind_for("", [name]).read(name, value)


def test_the_example_of_the_grammar_is_read():
    envelope = read(
        b'{"v":1,"id":"01JD","type":"TrafficFlowObserved","ts":"2026-11-20T21:54:03.120Z","boot":"01JD","seq":18842,'
        b'"q":"good","hist":false,"data":{"intensity":17,"occupancy":0.31},"unknown":{"x":1}}',
        Envelope,
    )

    assert (envelope.seq, envelope.q, envelope.data["intensity"]) == (18842, Quality.GOOD, 17)
    assert envelope.ts == datetime(2026, 11, 20, 21, 54, 3, 120_000, UTC)


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b'{"data": "\xed\xa0\x80"}', "UTF-8"),
        (b"[1]", "object"),
        (b'{"v":2,"ts":"2026-11-20T21:54:03Z"}', "version 2"),
        (b'{"v":"2.1"}', "version 2"),
        (b'{"v":true}', "version"),
        (b'{"ts":"2026-11-20T21:54:03Z","data":{"a":NaN}}', "JSON"),
        (b'{"ts":"2026-11-20T21:54:03Z","data":{"a":1e999}}', "range"),
        (b'{"ts":"2026-11-20T21:54:03Z","data":{"a":"\\u0000"}}', "NUL"),
        (b'{"ts":"2026-11-20T21:54:03"}', "ts"),
        (b'{"ts":"0001-01-01T00:00:00+14:00"}', "ts"),
        (b'{"ts":1e300}', "ts"),
        (body(seq=-1), "seq"),
        (body(seq=2**70), "seq"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * (MAX_DEPTH + 2) + b"1" + b"}" * (MAX_DEPTH + 2), "nested"),
        (b'{"a":"' + b"x" * 300_000 + b'"}', "bytes"),
        (b'{"a":[' + b"1," * 30_000 + b"1]}", "items"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(payload, word):
    with pytest.raises(PayloadError, match=word):
        read(payload, Envelope)


def test_a_minor_version_and_a_quality_nobody_knows_are_taken():
    envelope = read(body(v="1.7", q="excellent"), Envelope)

    assert envelope.q is Quality.UNCERTAIN


def test_epoch_milliseconds_are_read_as_an_instant():
    assert read(body(ts=1_763_675_643_120), Envelope).ts.year == 2025


def test_a_position_off_the_earth_is_refused():
    with pytest.raises(PayloadError, match="lat"):
        read(b'{"location":{"lat":91,"lon":0}}', Birth)


@given(st.dictionaries(st.text(max_size=10), st.integers(-(2**53), 2**53), max_size=8))
def test_plain_objects_are_decoded_as_they_are(value):
    value.pop("v", None)
    text = json.dumps(value).encode()
    if b"\\u0000" not in text and b"\\ud" not in text:
        assert decode(text) == value
