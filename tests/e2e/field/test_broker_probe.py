from datetime import UTC, datetime, timedelta

import pytest

from core.field.broker_probe import BrokerProbe, judge_persistence
from core.kernel.errors import UnavailableError
from tests.e2e.field.rig import settings_for

NOW = datetime.now(UTC)


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_the_stock_limit_of_a_broker_is_found_and_the_setting_named(mosquitto, protocol):
    found = BrokerProbe(settings_for(mosquitto, protocol=protocol), "").queue()

    assert not found.is_well
    assert "1000 of 1500" in found.message
    assert "max_queued_messages" in found.hint


def test_a_broker_with_a_large_queue_is_well(start_mosquitto):
    broker = start_mosquitto(extra_config="max_queued_messages 100000")

    assert BrokerProbe(settings_for(broker), "").queue().is_well


def test_round_trip_and_retained_messages_of_a_good_broker_are_well(mosquitto):
    probe = BrokerProbe(settings_for(mosquitto), "")

    assert probe.round_trip().is_well
    assert probe.retained().is_well
    assert probe.retained().is_well, "the first probe left its message"


def test_a_broker_without_retained_messages_is_found(start_mosquitto):
    probe = BrokerProbe(settings_for(start_mosquitto(extra_config="retain_available false")), "")

    assert "does not keep retained messages" in probe.retained().message


def test_who_may_not_write_is_told_which_topics(start_mosquitto, tmp_path, monkeypatch):
    monkeypatch.setattr("core.field.broker_probe.ANSWER_WITHIN_S", 1.0)
    (tmp_path / "acl").write_text("topic read watchfloor/v1/#\n")
    broker = start_mosquitto(extra_config=f"acl_file {tmp_path / 'acl'}")

    found = BrokerProbe(settings_for(broker), "").round_trip()

    assert not found.is_well
    assert "_ping/#" in found.hint


def test_a_wrong_password_is_a_sentence(mosquitto_with_password):
    with pytest.raises(UnavailableError, match="does not let the self-test in"):
        BrokerProbe(settings_for(mosquitto_with_password, username="core"), "wrong").round_trip()


def test_certificates_are_read_and_their_end_is_said(mosquitto_mutual_tls):
    pair = mosquitto_mutual_tls.client_pair("core")
    settings = settings_for(
        mosquitto_mutual_tls,
        is_tls=True,
        ca_file=mosquitto_mutual_tls.ca_file,
        cert_file=pair.certificate,
        key_file=pair.key,
    )
    probe = BrokerProbe(settings, "")

    soon = probe.certificates(NOW)
    assert "ends in" in soon.message
    assert "broker-config" in soon.hint
    assert "ended" in probe.certificates(NOW + timedelta(days=9)).message
    assert "signed by Watchfloor test authority" in probe.certificates(NOW - timedelta(days=90)).message


def test_plain_tcp_is_fine_on_this_machine_and_named_elsewhere(mosquitto):
    assert BrokerProbe(settings_for(mosquitto), "").certificates(NOW).is_well
    away = settings_for(mosquitto).model_copy(update={"host": "192.0.2.7"})
    assert "not encrypted" in BrokerProbe(away, "").certificates(NOW).message


def test_a_broker_that_saves_nothing_is_found_where_it_runs_here(mosquitto, mosquitto_persistent):
    assert "saves nothing" in BrokerProbe(settings_for(mosquitto), "").persistence().message
    assert BrokerProbe(settings_for(mosquitto_persistent), "").persistence().is_well


def test_stock_autosave_and_a_folder_of_somebody_else_are_named(tmp_path):
    saves = {"persistence": "true", "persistence_location": "data/"}
    assert "cannot be used" in judge_persistence(saves, tmp_path, None).message
    (tmp_path / "data").mkdir(mode=0o700)
    assert "every 1800 s" in judge_persistence(saves, tmp_path, None).message
    owner = (tmp_path / "data").stat().st_uid
    assert "belongs to another user" in judge_persistence(saves, tmp_path, owner + 1).message
    assert judge_persistence(saves | {"autosave_interval": "30"}, tmp_path, owner).is_well
