"""What is published about the field is what the code does."""

import json
from datetime import UTC, datetime
from random import Random

import pytest

from core.field.kinds import find_kinds, kind_for
from core.field.kinds.base import Moment
from core.field.payloads import Envelope, write
from core.field.topics import Channel, HostChannel, address_of
from core.gateway.asyncapi import DELIVERIES, data_models, texts, write_all
from tests.fixtures.schemas import FOLDER, complaints, document
from tests.fixtures.testdata import testdata

OURS = {
    "TrafficFlowObserved": {"freeFlowSpeed"},
    "OffStreetParking": {"unknownSpotNumber"},
    "ParkingSpot": {"permit"},
    "Camera": {"framesPerSecond", "temperature"},
    "Device": {"mainsPower"},
}
"""Fields for which the Smart Data Models have no word."""

THEIRS = sorted(data_models().keys() - {"GateCount", "SignDisplay"})
"""Gates that count totals, and signs, have no model there."""


def test_the_committed_files_are_those_that_the_models_make():
    on_disk = {
        str(file.relative_to(FOLDER)): file.read_text()
        for file in FOLDER.rglob("*.json")
        if file.name != "openapi.json"  # of the HTTP gateway
    }

    assert on_disk == texts(), "run: main.py field-schemas"


def test_writing_takes_away_what_is_no_longer_made(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "Gone.schema.json").write_text("{}")
    write_all(tmp_path)

    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.json")} == set(texts())


def test_every_channel_of_the_grammar_is_described_with_the_mqtt_binding():
    assert {item.address for item in DELIVERIES.values()} >= {
        *(address_of(channel) for channel in Channel if channel is not Channel.LOG),
        *(address_of(channel) for channel in HostChannel),
    }
    for operation in document()["operations"].values():
        assert operation["bindings"]["mqtt"]["bindingVersion"] == "0.2.0"


@pytest.mark.parametrize("kind", [kind for kind in find_kinds().values() if kind.simulate], ids=lambda kind: kind.key)
def test_what_a_simulator_says_fits_the_schema_and_its_own_kind(kind):
    chance = Random(3)
    said = [
        item
        for step in range(500)
        for item in kind.simulate(Moment(elapsed_s=step * 60.0, hour=step / 60 % 24, random=chance))
    ]

    assert {item.stream for item in said if item.stream} == {stream.key for stream in kind.streams}
    for item in said:
        envelope = Envelope(type=item.type, ts=datetime.now(UTC), data=dict(item.data))
        assert complaints("Envelope", json.loads(write(envelope))) == []
        values = kind.read(item.type, dict(item.data))
        assert item.stream == "" or values.keys() <= {quantity.key for quantity in kind.quantities}


def test_data_that_no_device_of_its_kind_can_mean_is_refused_by_schema_and_code():
    value = {"ts": "2026-01-01T00:00:00Z", "type": "TrafficFlowObserved", "data": {"occupancy": 31}}

    assert complaints("Envelope", value) != []


@pytest.mark.testdata
@pytest.mark.parametrize("name", THEIRS)
def test_examples_of_the_smart_data_models_are_read_and_fit_our_schema(name):
    example = json.loads(testdata(f"messages/smart-data-models/{name}/example.json").read_text())

    assert complaints(name, example) == []
    kind_for("", [name]).read(name, example)


@pytest.mark.testdata
@pytest.mark.parametrize("name", THEIRS)
def test_our_fields_have_the_names_of_the_smart_data_models(name):
    folder = testdata(f"messages/smart-data-models/{name}")
    theirs = {
        key for part in json.loads((folder / "schema.json").read_text())["allOf"] for key in part.get("properties", {})
    }
    theirs |= json.loads((folder / "example.json").read_text()).keys()
    ours = {field.alias or key for key, field in data_models()[name].model_fields.items()}

    assert ours - theirs == OURS.get(name, set())
