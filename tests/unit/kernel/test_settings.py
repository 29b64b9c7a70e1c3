import pytest

from core.kernel.settings import area_codes_of, load_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    import os

    for name in tuple(os.environ):
        if name.startswith("WATCHFLOOR_"):
            monkeypatch.delenv(name)


def write(tmp_path, text):
    file = tmp_path / "watchfloor.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_arguments_beat_the_environment_which_beats_the_file_which_beats_the_defaults(tmp_path, monkeypatch):
    file = write(tmp_path, '[site]\nname = "File"\ntenant = "from-file"\n[vision]\nthreads = 2\n')
    monkeypatch.setenv("WATCHFLOOR_SITE__NAME", "Environment")
    monkeypatch.setenv("WATCHFLOOR_VISION__THREADS", "3")

    settings, faults = load_settings(file, {"site": {"name": "Arguments"}})

    assert faults == ()
    assert settings.site.name == "Arguments"
    assert settings.site.tenant == "from-file"
    assert settings.vision.threads == 3
    assert settings.vision.confidence == 0.1


def test_a_file_that_is_no_toml_is_named_and_the_defaults_hold(tmp_path):
    file = write(tmp_path, "[site\nname = ")

    settings, (fault,) = load_settings(file)

    assert settings.site.name == "Watchfloor"
    assert str(file) in fault.sentence
    assert "not valid TOML" in fault.sentence


def test_a_misspelt_key_is_named_with_what_was_probably_meant(tmp_path):
    file = write(tmp_path, "[vision]\nthreds = 2\nconfidence = 0.4\n")

    settings, (fault,) = load_settings(file)

    assert fault.key == "vision.threds"
    assert "did you mean 'threads'" in fault.reason
    assert settings.vision.confidence == 0.4, "the other keys of the section still count"


def test_a_misspelt_section_is_named(tmp_path):
    _, (fault,) = load_settings(write(tmp_path, "[brocker]\nhost = 'x'\n"))

    assert fault.key == "brocker"
    assert "'broker'" in fault.reason


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[broker]\nport = 70000\n", "broker.port"),
        ("[broker]\nport = 'many'\n", "broker.port"),
        ("[vision]\nconfidence = 1.5\n", "vision.confidence"),
        ("[vision]\ninput_size = '500x288'\n", "vision.input_size"),
        ("[vision]\ninput_size = '640'\n", "vision.input_size"),
        ("[vision]\ninput_size = '4096x4096'\n", "vision.input_size"),
        ("[console]\ntheme = 'pink'\n", "console.theme"),
        ("[site]\ntenant = 'No Spaces'\n", "site.tenant"),
        ("site = 3\n", "site"),
    ],
)
def test_a_value_out_of_bounds_puts_its_section_back_to_defaults_and_is_named(tmp_path, text, key):
    settings, faults = load_settings(write(tmp_path, text))

    assert [fault.key for fault in faults] == [key]
    assert settings == load_settings(None)[0]


def test_a_bad_file_does_not_silence_the_arguments(tmp_path):
    file = write(tmp_path, "[broker]\nport = 'many'\n")

    settings, _ = load_settings(file, {"broker": {"host": "10.0.0.5", "port": "1884"}})

    assert (settings.broker.host, settings.broker.port) == ("10.0.0.5", 1884)


def test_a_file_that_is_missing_is_named(tmp_path):
    _, (fault,) = load_settings(tmp_path / "nowhere.toml")

    assert "does not exist" in fault.sentence


@pytest.mark.parametrize("text", ["WARNCELLID=105315000, UGC=ILZ014", "WARNCELLID = 105315000,UGC=ILZ014 , "])
def test_codes_of_areas_are_names_and_values(text):
    assert area_codes_of(text) == {("WARNCELLID", "105315000"), ("UGC", "ILZ014")}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("UGC=ILZ014, WARNCELLID= ", "WARNCELLID="),
        (" =105315000", "=105315000"),
        ("WARNCELLID:105315000", "WARNCELLID:105315000"),
        ("WARNCELLID=105315000; UGC=ILZ014", "WARNCELLID=105315000; UGC=ILZ014"),
    ],
)
def test_what_is_no_code_of_an_area_is_not_taken_for_one_that_no_area_bears(tmp_path, text, part):
    settings, (fault,) = load_settings(write(tmp_path, f'[cap]\ngeocodes = "{text}"\n'))

    assert settings.cap.geocodes == ""
    assert f"'{part}' is no code of an area; write them like WARNCELLID=105315000" in fault.sentence
