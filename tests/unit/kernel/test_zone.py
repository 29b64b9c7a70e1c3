from datetime import UTC, datetime

from core.kernel.zone import from_site, is_zone, set_site_zone, write_site, write_site_clock, zone_name

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_zone_that_is_wanted_is_taken_where_there_is_one():
    assert zone_name("Europe/Berlin") == "Europe/Berlin"


def test_a_zone_nobody_knows_gives_one_that_exists():
    assert is_zone(zone_name("Nowhere/At-All"))


def test_the_environment_says_the_zone_where_nothing_else_does(monkeypatch):
    monkeypatch.setenv("TZ", ":Asia/Kolkata")

    assert zone_name() == "Asia/Kolkata"


def test_no_path_is_a_zone():
    assert not is_zone("../../etc/passwd")


def test_sentences_of_the_node_are_in_the_zone_of_the_site():
    set_site_zone("Asia/Kolkata")

    assert write_site(MIDNIGHT) == "2026-01-01 05:30+05:30"
    assert write_site_clock(MIDNIGHT) == "05:30:00+05:30"
    assert from_site(datetime(2026, 1, 1, 5, 30)) == MIDNIGHT


def test_a_zone_that_this_machine_does_not_know_is_utc():
    set_site_zone("Nowhere/At_all")

    assert write_site(MIDNIGHT) == "2026-01-01 00:00 UTC"


def test_the_hour_that_comes_twice_is_read_as_the_one_that_is_meant():
    set_site_zone("Europe/Berlin")
    wall = datetime(2026, 10, 25, 2, 30)

    assert [from_site(wall, fold=fold).hour for fold in (0, 1)] == [0, 1]
