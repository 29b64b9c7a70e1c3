"""Make the room's sounds: `python app/make/sounds.py` writes resources/sounds/*.wav, the same bytes every time.

16 bit, 44.1 kHz, mono. Every tone begins and ends in a ramp, so that no loudspeaker clicks.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

OUT = Path(__file__).resolve().parents[2] / "resources" / "sounds"
RATE_HZ = 44_100
RAMP_S = 0.012

Samples = NDArray[np.float64]


def tone(pitch_hz: float, length_s: float, *, overtones: tuple[float, ...] = (1.0, 0.25, 0.08)) -> Samples:
    """Return a steady tone; `overtones` are the shares of the harmonics, the first is the pitch itself."""
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    sound = sum(share * np.sin(2 * np.pi * pitch_hz * n * t) for n, share in enumerate(overtones, start=1))
    return ramped(np.asarray(sound) / sum(overtones))


def bell(pitch_hz: float, length_s: float, *, decay_s: float) -> Samples:
    """Return a struck bell: partials that die away, the high ones first."""
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    partials = ((1.0, 1.0), (2.0, 0.45), (2.76, 0.22), (5.40, 0.07))
    sound = sum(
        share * np.exp(-t * ratio**0.6 / decay_s) * np.sin(2 * np.pi * pitch_hz * ratio * t)
        for ratio, share in partials
    )
    return ramped(np.asarray(sound) / sum(share for _ratio, share in partials))


def ramped(sound: Samples) -> Samples:
    """Let a sound come from silence and go back to it."""
    n_ramp = round(RAMP_S * RATE_HZ)
    ramp = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, n_ramp))
    shaped = sound.copy()
    shaped[:n_ramp] *= ramp
    shaped[-n_ramp:] *= ramp[::-1]
    return shaped


def silence(length_s: float) -> Samples:
    """Return nothing."""
    return np.zeros(round(length_s * RATE_HZ))


def overlaid(first: Samples, second: Samples, after_s: float) -> Samples:
    """Let a second sound begin while the first one still rings."""
    start = round(after_s * RATE_HZ)
    mixed = np.zeros(max(len(first), start + len(second)))
    mixed[: len(first)] += first
    mixed[start : start + len(second)] += second
    return mixed


def make_sounds() -> dict[str, Samples]:
    """Return every sound by its file's name; the louder, the more urgent."""
    two_tone = np.concatenate([tone(800, 0.16), tone(1000, 0.16)])
    low = (1.0, 0.6, 0.35, 0.15)
    return {
        "critical": 0.85 * scaled(np.concatenate([two_tone, two_tone, silence(0.03)])),
        "high": 0.75 * scaled(overlaid(bell(988, 1.0, decay_s=0.28), bell(784, 1.0, decay_s=0.32), 0.17)),
        "medium": 0.5 * scaled(bell(659, 0.9, decay_s=0.26)),
        "bus_lost": 0.7
        * np.concatenate([tone(220, 0.24, overtones=low), silence(0.08), tone(175, 0.34, overtones=low)]),
        "test": 0.5 * np.concatenate([tone(440, 0.18), silence(0.05), tone(554, 0.18), silence(0.05), tone(659, 0.3)]),
    }


def scaled(sound: Samples) -> Samples:
    """Bring the loudest moment to one."""
    loudest = float(np.abs(sound).max())
    return sound / loudest


def main() -> None:
    """Write the files."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, sound in make_sounds().items():
        with wave.open(str(OUT / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(np.round(sound * 32_767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
