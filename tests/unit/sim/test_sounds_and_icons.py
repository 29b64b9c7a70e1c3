"""What ships for ears and eyes is well formed."""

import wave
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

import resources

SOUNDS = ("critical", "high", "medium", "bus_lost", "test")
ICONS = """
camera station lot drone device map alarm health lock unlock sound mute add remove search play grid-1 grid-4 grid-9
grid-16 warning person refresh link eye box
"""


def read_sound(name):
    with wave.open(str(resources.path(f"sounds/{name}.wav")), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44_100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768


def strength(sound, pitch_hz):
    spectrum = np.abs(np.fft.rfft(sound))
    pitches_hz = np.fft.rfftfreq(len(sound), 1 / 44_100)
    return spectrum[np.abs(pitches_hz - pitch_hz) < 12].max() / spectrum.max()


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_begins_and_ends_in_silence_without_a_click(name):
    sound = read_sound(name)

    assert abs(sound[0]) < 0.002
    assert abs(sound[-1]) < 0.002
    # A full-scale tone of 3 kHz moves by 0.43 from one sample to the next; a click moves further.
    assert np.abs(np.diff(sound)).max() < 0.4
    # The first millisecond of any tone is still quiet.
    assert np.abs(sound[:44]).max() < 0.1


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_short_and_loud_enough_without_clipping(name):
    sound = read_sound(name)

    assert 0.3 < len(sound) / 44_100 < 1.5
    assert 0.3 < np.abs(sound).max() < 0.95


def test_the_critical_sound_is_two_tones():
    sound = read_sound("critical")

    assert strength(sound, 800) > 0.8
    assert strength(sound, 1000) > 0.8
    assert strength(sound, 600) < 0.1


def test_the_loss_of_the_link_sounds_low():
    sound = read_sound("bus_lost")

    assert strength(sound, 220) > 0.5
    assert strength(sound, 900) < 0.1


def test_no_alarm_is_louder_than_a_more_urgent_one():
    loudness = [np.abs(read_sound(name)).max() for name in ("critical", "high", "medium")]

    assert loudness == sorted(loudness, reverse=True)


@pytest.mark.parametrize("name", ICONS.split())
def test_an_icon_is_one_colour_on_a_grid_of_24(name):
    root = ElementTree.parse(resources.path(f"icons/{name}.svg")).getroot()

    assert root.get("viewBox") == "0 0 24 24"
    colours = {each.get(kind) for each in root.iter() for kind in ("fill", "stroke")}
    assert colours <= {"#000", "none", None}


@pytest.mark.parametrize("side_px", [256, 64, 32])
def test_the_program_has_an_icon(side_px):
    image = Image.open(resources.path(f"icons/watchfloor-{side_px}.png"))

    assert image.size == (side_px, side_px)
    assert image.getpixel((0, 0))[3] == 0
    assert image.getpixel((side_px // 8, side_px // 2))[3] == 255
