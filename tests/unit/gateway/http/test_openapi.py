"""What is published about the gateway is what it serves."""

from core.gateway.http.openapi import FILE, document_text, make_document
from tests.fixtures.schemas import FOLDER


def test_the_committed_document_is_the_one_that_the_routes_make():
    assert (FOLDER / FILE).read_text(encoding="utf-8") == document_text(), "run: main.py field-schemas"


def test_every_address_says_which_key_it_needs_and_how_it_refuses():
    for path, operations in make_document()["paths"].items():
        for operation in operations.values():
            assert operation["security"] == [{"key": []}], path
            assert "Needs a key of purpose" in operation["description"]
            assert {"400", "401", "403", "404", "413", "429", "503"} <= operation["responses"].keys()
            assert "422" not in operation["responses"]
