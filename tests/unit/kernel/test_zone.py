from core.kernel.zone import is_zone, zone_name


def test_the_zone_that_is_wanted_is_taken_where_there_is_one():
    assert zone_name("Europe/Berlin") == "Europe/Berlin"


def test_a_zone_nobody_knows_gives_one_that_exists():
    assert is_zone(zone_name("Nowhere/At-All"))


def test_the_environment_says_the_zone_where_nothing_else_does(monkeypatch):
    monkeypatch.setenv("TZ", ":Asia/Kolkata")

    assert zone_name() == "Asia/Kolkata"


def test_no_path_is_a_zone():
    assert not is_zone("../../etc/passwd")
