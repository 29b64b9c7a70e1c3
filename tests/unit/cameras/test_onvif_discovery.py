"""Probes go out, answers come in; over the loopback in place of the group."""

import asyncio
import os
import socket
from types import SimpleNamespace

import psutil
import pytest

from core.cameras.onvif.discovery import GROUP, discover, own_addresses, read_matches
from core.kernel.errors import BadInputError
from core.sim.onvif import OnvifSimulator


def search(port, **options):
    return asyncio.run(
        discover(**{"listen_s": 0.6, "target": ("127.0.0.1", port), "interfaces": ("127.0.0.1",)} | options)
    )


def test_a_camera_is_found_once_however_often_it_answers():
    with OnvifSimulator(name="Bridge East") as camera:
        found = search(camera.answer_probes())

    (one,) = found.cameras
    assert one.address == camera.address
    assert one.endpoint == camera.endpoint
    assert (one.name, one.maker, one.model, one.location) == ("Bridge East", "Watchfloor", "SIM-1", "Harbour")


def test_nonsense_between_the_answers_hides_nobody():
    with OnvifSimulator() as camera:

        def answer(message_id):
            good = camera.probe_match(message_id)
            return [b"", os.urandom(600), b"<a/>", good[:200], good.replace(b"ProbeMatches", b"Hello"), good]

        found = search(camera.answer_probes(answer=answer))

    assert len(found.cameras) == 1


def test_an_answer_to_somebody_elses_probe_is_left_alone():
    with OnvifSimulator() as camera:
        found = search(camera.answer_probes(answer=lambda _id: [camera.probe_match("urn:uuid:of-another-program")]))

    assert found.cameras == ()


def test_of_several_addresses_the_one_that_answered_is_taken():
    with OnvifSimulator() as camera:
        packet = camera.probe_match(
            "urn:uuid:1", addresses="http://[fe80::1]/onvif http://169.254.7.7/onvif http://10.1.2.3/onvif ftp://x/"
        )

    (near,) = read_matches(packet, sender="169.254.7.7", message_ids=frozenset({"1"}))
    (other,) = read_matches(packet, sender="192.0.2.1", message_ids=frozenset({"1"}))

    assert near.address == "http://169.254.7.7/onvif"
    assert other.address == "http://10.1.2.3/onvif"


def test_an_answer_without_a_usable_address_names_no_camera():
    with OnvifSimulator() as camera:
        packet = camera.probe_match("urn:uuid:1", addresses="http://user:secret@10.0.0.5/ javascript:alert(1)")

    assert read_matches(packet, sender="10.0.0.5", message_ids=frozenset({"1"})) == []


def test_a_document_type_in_a_packet_is_refused():
    with pytest.raises(BadInputError, match="document type"):
        read_matches(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', sender="10.0.0.5", message_ids=frozenset())


def test_a_network_that_cannot_be_asked_is_said():
    found = search(9, interfaces=("192.0.2.99",))

    assert "192.0.2.99" in found.notice


LOOPBACK = "127.0.0.1"


def test_a_camera_hears_the_question_to_the_group_and_is_found():
    with OnvifSimulator(name="Bridge East") as camera:
        assert camera.answer_probes(interfaces=(LOOPBACK,)) == GROUP[1]
        found = asyncio.run(discover(listen_s=0.4, interfaces=(LOOPBACK,)))

    # Other devices may be in that network as well.
    assert [one.name for one in found.cameras if one.address == camera.address] == ["Bridge East"]


def test_every_network_card_that_is_up_is_asked_whether_a_route_leads_there_or_not(monkeypatch):
    def card(*addresses):
        return [SimpleNamespace(family=socket.AF_INET, address=address) for address in addresses]

    cards = {
        "lo": card(LOOPBACK),
        "office": card("10.0.0.5"),
        "cameras": card("10.9.0.1", "10.9.0.2"),
        "wlan": card("10.7.0.1"),
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: cards)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {name: SimpleNamespace(isup=name != "wlan") for name in cards})

    assert own_addresses() == ("10.0.0.5", "10.9.0.1", "10.9.0.2")
    del cards["office"], cards["cameras"]
    assert own_addresses() == (LOOPBACK,)
