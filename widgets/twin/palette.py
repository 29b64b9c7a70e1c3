"""The scene's colours by day and by night: desaturated, so that no alarm hue is used for anything else."""

from __future__ import annotations

from core.parking.model import BayKind
from widgets.base.theme import DARK, DAY, Theme
from widgets.twin.model import Palette, Rgb


def rgb(color: str) -> Rgb:
    """Return #RRGGBB as three numbers."""
    return (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16))


def palette_for(theme: Theme) -> Palette:
    """Return the scene as it looks in the dark or the day theme."""
    return _night(theme) if theme.is_dark else _day(theme)


NIGHT_THEME, DAY_THEME = DARK, DAY
"""What the scene wears by night and by day, whatever the window wears."""


def _night(theme: Theme) -> Palette:
    return Palette(
        sky=rgb("#171C21"),
        asphalt=rgb("#242A30"),
        lane=rgb("#1F252A"),
        slab=rgb("#2C333A"),
        green=rgb("#232C2A"),
        building=rgb("#39424A"),
        wall=rgb("#39424A"),
        paint=rgb("#8F9AA4"),
        floor_free=rgb("#4B5762"),
        floor_occupied=rgb("#262C32"),
        floor_closed=rgb("#1B2024"),
        floor_unknown=rgb("#282B33"),
        floor_stale=rgb("#2B3035"),
        car=rgb("#D3DBE2"),
        car_stale=rgb("#6F7881"),
        glass=rgb("#161B20"),
        shade=rgb("#101418"),
        cross=rgb(theme.shelved),
        quality=rgb(theme.quality),
        cone=rgb(theme.trend),
        corrected=rgb("#F2F5F7"),
        earth=rgb("#1C2227"),
        kerb=rgb("#454F58"),
        trunk=rgb("#3A3A36"),
        leaves=rgb("#3C4F48"),
        post=rgb("#59646E"),
        lamp=rgb("#F4EDDA"),
        kinds={
            BayKind.ACCESSIBLE: rgb(theme.track_bus),
            BayKind.EV: rgb("#BFDCC8"),
            BayKind.LOADING: rgb("#D8CCBC"),
            BayKind.RESERVED: rgb("#C6C9EE"),
        },
        ramp=(rgb("#2A323A"), rgb("#3F5468"), rgb("#6487A8"), rgb("#A5C4E0"), rgb("#E6F0F8")),
        sun_light=0.68,
        sky_light=0.52,
    )


def _day(theme: Theme) -> Palette:
    return Palette(
        sky=rgb("#C3CBD1"),
        asphalt=rgb("#A7B0B7"),
        lane=rgb("#9BA4AC"),
        slab=rgb("#B4BCC3"),
        green=rgb("#AFBDB2"),
        building=rgb("#D9DFE3"),
        wall=rgb("#CBD2D8"),
        paint=rgb("#F4F7F9"),
        floor_free=rgb("#CFD7DD"),
        floor_occupied=rgb("#98A1A9"),
        floor_closed=rgb("#878F96"),
        floor_unknown=rgb("#B5B1BD"),
        floor_stale=rgb("#A9B0B6"),
        car=rgb("#35424E"),
        car_stale=rgb("#7A848D"),
        glass=rgb("#B4BFC8"),
        shade=rgb("#828B93"),
        cross=rgb(theme.shelved),
        quality=rgb(theme.quality),
        cone=rgb("#3D4A55"),
        corrected=rgb("#1B242C"),
        earth=rgb("#B9C2C6"),
        kerb=rgb("#D5DBE0"),
        trunk=rgb("#857D72"),
        leaves=rgb("#8FA797"),
        post=rgb("#7E8992"),
        lamp=rgb("#F7F9FA"),
        kinds={
            BayKind.ACCESSIBLE: rgb("#2B5C94"),
            BayKind.EV: rgb("#2F5F48"),
            BayKind.LOADING: rgb("#6B5230"),
            BayKind.RESERVED: rgb("#4A4C8C"),
        },
        ramp=(rgb("#E2E8EC"), rgb("#B3C8DA"), rgb("#7799B8"), rgb("#416A8F"), rgb("#173E62")),
        sun_light=0.56,
        sky_light=0.64,
    )
