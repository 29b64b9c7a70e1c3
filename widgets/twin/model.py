"""What the twin's view and the process that draws it say to each other; no Qt, no VTK."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from core.parking.model import BayKind, Lot
from widgets.twin.faces import Material
from widgets.twin.pose import Pose
from widgets.twin.scene import TwinScene

Rgb = tuple[int, int, int]


class Shown(IntEnum):
    """How one bay is drawn."""

    UNKNOWN = 0
    FREE = 1
    OCCUPIED = 2
    CLOSED = 3
    SHARE = 4
    """By a figure, on the palette's ramp: nothing is said of this bay at this instant."""


class Detail(StrEnum):
    """How much work goes into one picture."""

    QUICK = "quick"
    """While something moves."""

    FINE = "fine"
    """Smoothed edges; once everything rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of a scene, 0..255; lightness and shape tell states apart, hues are left to alarms.

    Attributes:
        quality: Hatching of what is unknown, outline of what is stale.
        corrected: Frame and pencil of what an operator said against all others.
        kinds: Of a bay's symbol; a standard bay has none.
        ramp: From the lowest to the highest figure.
        sky: Behind and around everything.
        sun_light, sky_light: Strength of the light from one side and from everywhere, 0..1.
    """

    sky: Rgb
    asphalt: Rgb
    lane: Rgb
    slab: Rgb
    green: Rgb
    building: Rgb
    wall: Rgb
    paint: Rgb
    floor_free: Rgb
    floor_occupied: Rgb
    floor_closed: Rgb
    floor_unknown: Rgb
    floor_stale: Rgb
    car: Rgb
    car_stale: Rgb
    glass: Rgb
    shade: Rgb
    cross: Rgb
    quality: Rgb
    cone: Rgb
    corrected: Rgb
    earth: Rgb
    kerb: Rgb
    trunk: Rgb
    leaves: Rgb
    post: Rgb
    lamp: Rgb
    kinds: dict[BayKind, Rgb]
    ramp: tuple[Rgb, ...]
    sun_light: float
    sky_light: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaysLook:
    """How every bay of the scene stands, in the scene's order.

    Attributes:
        shown: `Shown` of each, shape (n,), uint8.
        is_stale: Shape (n,), bool.
        shares: 0..1 where `shown` is SHARE, shape (n,), float32.
        is_corrected: An operator's word stands against all others, shape (n,), bool.
        misparked: Two bays that one vehicle takes, shape (k, 2); it is drawn once, across their line.
    """

    shown: NDArray[np.uint8]
    is_stale: NDArray[np.bool_]
    shares: NDArray[np.float32]
    is_corrected: NDArray[np.bool_]
    misparked: NDArray[np.intp]


def plain_look(shown: NDArray[np.uint8]) -> BaysLook:
    """Return bays of which nothing but their state is said."""
    return BaysLook(
        shown=shown,
        is_stale=np.zeros(len(shown), dtype=bool),
        shares=np.zeros(len(shown), dtype=np.float32),
        is_corrected=np.zeros(len(shown), dtype=bool),
        misparked=np.zeros((0, 2), dtype=np.intp),
    )


def material_colors(palette: Palette) -> dict[Material, Rgb]:
    """Return what each material looks like."""
    return {
        Material.ASPHALT: palette.asphalt,
        Material.LANE: palette.lane,
        Material.SLAB: palette.slab,
        Material.GREEN: palette.green,
        Material.BUILDING: palette.building,
        Material.WALL: palette.wall,
        Material.PAINT: palette.paint,
        Material.EARTH: palette.earth,
        Material.KERB: palette.kerb,
        Material.TRUNK: palette.trunk,
        Material.LEAVES: palette.leaves,
        Material.POST: palette.post,
        Material.LAMP: palette.lamp,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cone:
    """What one camera sees, drawn as lines from the camera to the ground.

    Attributes:
        apex: Of the camera, in the scene [m].
        ground: Corners of what it sees [m], shape (k, 3).
        height_m: Over the ground that it looks at.
        heading_deg: Where it looks, clockwise from north.
        view_angle_deg: Horizontal opening.
        tilt_deg: Down from the horizon; None where no calibration tells.
    """

    lot_id: str
    camera_id: str
    name: str
    apex: tuple[float, float, float]
    ground: tuple[tuple[float, float, float], ...]
    height_m: float
    heading_deg: float
    view_angle_deg: float
    tilt_deg: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What of the scene is drawn, and how.

    Attributes:
        top_level: The one level of each lot that is drawn, or the next below it; None for all.
        is_apart: Levels are pulled apart, so that each is seen whole.
        is_animated: Cars drive in and out; else they are there and gone.
    """

    palette: Palette
    top_level: int | None = None
    is_apart: bool = False
    has_shadows: bool = False
    is_animated: bool = True
    cones: tuple[Cone, ...] = ()


@dataclass(frozen=True, slots=True)
class ShowLots:
    """To the drawing process: build these.

    Attributes:
        number: Rises with every set of lots; `Built` names it.
    """

    lots: tuple[Lot, ...]
    number: int


@dataclass(frozen=True, slots=True)
class ShowBays:
    """To the drawing process: bays stand like this now.

    Attributes:
        number: Of the lots these are the bays of.
        is_at_once: Nothing drives in: the scene jumps to another instant.
        look_number: Rises with every look; `Picture` names the newest one that it shows.
    """

    look: BaysLook
    number: int
    is_at_once: bool = False
    look_number: int = 0


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """To the drawing process: draw it like this."""

    options: Options


@dataclass(frozen=True, slots=True)
class SceneOrder:
    """To a drawing process of another scene than lots: whatever that is made of."""


@dataclass(frozen=True, slots=True)
class Look:
    """To the drawing process: see the scene from here, in a picture of this size [px]."""

    pose: Pose
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Taken:
    """To the drawing process: a picture was taken; there is room for another one."""


@dataclass(frozen=True, slots=True)
class End:
    """To the drawing process: it is not needed any more."""


@dataclass(frozen=True, slots=True)
class Picture:
    """From the drawing process, followed by the pixels: BGRA, upper row first.

    Attributes:
        pose: It was seen from here; labels that are laid over it belong there.
        draw_s: How long drawing it took.
        look_number: Of the newest `ShowBays` that is in it.
    """

    pose: Pose
    width_px: int
    height_px: int
    detail: Detail
    draw_s: float
    pixels: bytes = field(default=b"", repr=False)
    look_number: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """From the drawing process: it can draw; by whom, as OpenGL names it."""

    device: str
    is_software: bool


@dataclass(frozen=True, slots=True)
class Built:
    """From the drawing process: the lots as geometry."""

    scene: TwinScene
    number: int


@dataclass(frozen=True, slots=True)
class Failed:
    """From the drawing process, before it ends."""

    sentence: str


Order = ShowLots | ShowBays | ShowOptions | SceneOrder | Look | Taken | End
Answer = Ready | Built | Picture | Failed
