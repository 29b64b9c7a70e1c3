"""Is this a whole JPEG of a sensible size? Told from its markers, before anything decodes it.

Source of the marker layout: ITU-T T.81, annex B.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.kernel.errors import BadInputError

MIN_SIDE_PX = 64
MAX_SCANS = 100
"""A progressive picture of thousands of scans keeps a decoder busy for minutes; cameras make one to twelve."""

_TAKE_PHOTOS = "Post whole JPEG pictures, as a camera makes them."
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended sequential, progressive: what decoders take; the other kinds are lossless or arithmetic."""

_OTHER_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_START_OF_SCAN, _END = 0xDA, b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class JpegSize:
    """Of one picture [px]."""

    width: int
    height: int


def check_jpeg(data: bytes, *, max_pixels: int) -> JpegSize:
    """Return the size of a picture that can be decoded.

    Raises:
        BadInputError: It is no JPEG, not whole, too small, or unpacks to more than `max_pixels`.
    """
    if not data:
        raise BadInputError("The body is empty.", hint=_TAKE_PHOTOS)
    if not data.startswith(b"\xff\xd8\xff"):
        raise BadInputError("The body is no JPEG picture.", hint=_TAKE_PHOTOS)
    size = _size_of(data)
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise BadInputError("The picture has more scans than a camera makes.", hint=_TAKE_PHOTOS)
    # Some cameras fill up the file behind the end.
    if data.rfind(_END, max(0, len(data) - 65_536)) < 0:
        raise BadInputError(
            "The picture is cut off: its end is missing.", hint="Check the sender's memory and network."
        )
    if min(size.width, size.height) < MIN_SIDE_PX:
        raise BadInputError(
            f"The picture is too small: {size.width} x {size.height} pixels.",
            hint=f"Use at least {MIN_SIDE_PX} each way.",
        )
    if size.width * size.height > max_pixels:
        raise BadInputError(
            f"The picture is too large: {size.width} x {size.height} pixels.",
            hint=f"At most {max_pixels / 1e6:g} million pixels are unpacked.",
        )
    return size


def _size_of(data: bytes) -> JpegSize:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN or length < 2:
            break
        if marker in _FRAMES and length >= 8 and at + 10 <= len(data):
            return _frame(data, at)
        if marker in _OTHER_FRAMES:
            raise BadInputError("This kind of JPEG is not taken: lossless or arithmetic.", hint="Use baseline JPEG.")
        at += 2 + length
    raise BadInputError("The picture is cut off or damaged: it does not say its size.", hint=_TAKE_PHOTOS)


def _frame(data: bytes, at: int) -> JpegSize:
    precision, n_components = data[at + 4], data[at + 9]
    if precision != 8 or n_components not in (1, 3):
        raise BadInputError(
            f"The picture has {n_components} channels of {precision} bits.", hint="Use JPEG in colour or grey, 8 bits."
        )
    return JpegSize(
        width=int.from_bytes(data[at + 7 : at + 9], "big"), height=int.from_bytes(data[at + 5 : at + 7], "big")
    )
