import stat
from datetime import UTC, datetime, timedelta

import pytest

from core.field import broker_config, certificates
from core.field.broker_config import BrokerWish, issue_certificate, read_device_list, revoke, user_of, write_broker
from core.kernel.errors import BadInputError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def own_user(monkeypatch):
    """Tests run as whoever they run as; only root may give files away."""
    monkeypatch.setattr(broker_config, "_give_to_broker", lambda folder, user: None)


@pytest.fixture
def folder(tmp_path, own_user):
    write_broker(tmp_path / "broker", BrokerWish(hosts=("broker.example.org",), devices=("station/s1",)), NOW)
    return tmp_path / "broker"


def test_keys_and_lists_are_for_their_owner_alone(folder):
    for name in ("ca.key", "server.key", "acl", "mosquitto.conf", "site.json", "clients/station.s1.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    for name in ("data", "clients"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o700, name


def test_a_second_run_keeps_the_authority_and_every_certificate_and_adds_what_is_new(folder):
    kept = ["ca.crt", "ca.key", "server.crt", "clients/core.crt", "clients/station.s1.key"]
    before = {name: (folder / name).read_bytes() for name in kept}

    report = write_broker(folder, BrokerWish(devices=("station/s1", "lot/s1")), NOW + timedelta(days=1))

    assert report.issued == ("lot.s1",)
    assert not report.has_new_server
    assert {name: (folder / name).read_bytes() for name in kept} == before
    assert "user station.s1" in (folder / "acl").read_text()
    assert "topic write watchfloor/v1/city/lot/s1/evt" in (folder / "acl").read_text()


def test_the_brokers_certificate_is_signed_anew_for_other_hosts_and_before_it_ends(folder):
    assert write_broker(folder, BrokerWish(hosts=("10.0.0.7", "mqtt.example.org")), NOW).has_new_server
    pem = (folder / "server.crt").read_bytes()
    assert set(certificates.hosts_of(pem)) == {"10.0.0.7", "mqtt.example.org"}
    assert not write_broker(folder, BrokerWish(), NOW).has_new_server
    late = NOW + timedelta(days=certificates.SERVER_DAYS - 30)
    assert write_broker(folder, BrokerWish(), late).has_new_server


def test_who_is_taken_back_stands_on_the_list_of_the_revoked_and_no_longer_in_the_access_list(folder):
    revoke(folder, ["station/s1"], NOW)

    assert "station.s1" not in (folder / "acl").read_text()
    assert not (folder / "clients" / "station.s1.key").exists()
    with pytest.raises(BadInputError, match=r"no certificate that counts"):
        revoke(folder, ["station/s1"], NOW)


def test_a_device_may_come_back_with_a_new_certificate(folder):
    revoke(folder, ["station/s1"], NOW)

    issued = issue_certificate(folder, "station/s1", NOW)

    assert issued.user == "station.s1"
    assert "BEGIN PRIVATE KEY" in issued.key_pem
    assert "PRIVATE" not in repr(issued)
    assert "user station.s1" in (folder / "acl").read_text()
    assert not (folder / "clients" / "station.s1.key").exists()


def test_another_tenants_folder_is_left_alone(folder):
    with pytest.raises(BadInputError, match="tenant"):
        write_broker(folder, BrokerWish(tenant="harbour"), NOW)


def test_a_lost_key_of_the_authority_is_said_and_not_replaced(folder):
    (folder / "ca.key").unlink()

    with pytest.raises(BadInputError, match=r"ca\.key is missing"):
        write_broker(folder, BrokerWish(devices=("station/s2",)), NOW)


@pytest.mark.parametrize("wish", [BrokerWish(), BrokerWish(hosts=("a b",)), BrokerWish(hosts=("a",), port=70_000)])
def test_a_wish_that_cannot_be_met_is_a_sentence(tmp_path, own_user, wish):
    with pytest.raises(BadInputError):
        write_broker(tmp_path / "broker", wish, NOW)


@pytest.mark.parametrize(
    "name", ["station", "Station/s1", "station/s1/evt", "station/+", "a/#", "/s", "s/", "a/b\nuser x"]
)
def test_no_name_can_widen_its_own_rights(name):
    with pytest.raises(BadInputError):
        user_of(name)


def test_a_list_of_devices_may_be_lines_or_a_table_and_a_bad_line_is_named():
    assert read_device_list("\ufeffid;name\nstation/s1;Bridge\n\n# later\nlot/p1,x\nstation/s1\n") == (
        "station/s1",
        "lot/p1",
    )
    with pytest.raises(BadInputError, match="Line 2"):
        read_device_list("station/s1\nstation/S2\n")
