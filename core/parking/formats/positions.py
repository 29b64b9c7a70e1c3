"""CarParkPos: a pickled list of the bays' upper left corners, read without running anything that a pickle can hold."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

from core.kernel.errors import BadInputError
from core.parking.formats.model import BadRow, Document, Frame, Row

TITLE = "CarParkPos positions (pickle)"
BAY_PX = (107, 48)
"""Of the tutorial that the format comes from."""

_ADMITTED = frozenset(
    {"PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}
    | {"GET", "BINGET", "LONG_BINGET", "EMPTY_LIST", "LIST", "APPEND", "APPENDS"}
    | {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
    | {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
)
"""Operations that make lists, tuples and whole numbers, and nothing else."""


_STORES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
MAX_STORED = 200_000
"""Highest place that a value is stored at: the reader makes room for all below it."""

MAX_OPERATIONS = 1_000_000
"""A pair takes six."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is asked for")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"{pid}, which is outside of the file, is asked for")


def recognises(content: bytes) -> bool:
    """Tell whether this looks like a pickle: of protocol 2 or later, or of a list in the two before."""
    is_new = content[:1] == b"\x80" and content[1:2] <= b"\x05"
    return (is_new or content[:3] == b"(lp" or content[:1] == b"]") and content.rstrip()[-1:] == b"."


def read(content: bytes, file_name: str) -> Document:
    """Return the positions.

    Raises:
        BadInputError: The file holds anything but lists, tuples and whole numbers; nothing of it was run.
    """
    try:
        for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
            if number >= MAX_OPERATIONS:
                raise pickle.UnpicklingError(f"more than {MAX_OPERATIONS:,} operations are asked for")
            if operation.name not in _ADMITTED:
                raise pickle.UnpicklingError(f"{operation.name} is asked for")
            if operation.name in _STORES and argument is not None and argument > MAX_STORED:
                raise pickle.UnpicklingError(f"room for {argument:,} values is asked for")
        entries = _Unpickler(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError, AttributeError, MemoryError) as error:
        raise BadInputError(
            f"{file_name} is a pickle that holds more than a list of positions ({error}); nothing of it was run.",
            hint="CarParkPos is a list of (x, y) in whole pixels. Save it again from the program that wrote it.",
        ) from error
    if not isinstance(entries, list):
        raise BadInputError(f"{file_name} is a pickle, but no list of positions.")
    rows: list[Row] = []
    bad: list[BadRow] = []
    for number, entry in enumerate(entries, start=1):
        is_pair = isinstance(entry, (list, tuple)) and len(entry) == 2
        if is_pair and all(isinstance(part, int) and abs(part) < 10**6 for part in entry):
            rows.append(Row(number=number, points=((float(entry[0]), float(entry[1])),)))
        else:
            bad.append(BadRow(number=number, name="", reason="It is no pair of whole numbers."))
    return Document(title=TITLE, frame=Frame.PIXELS, rows=tuple(rows), bad=tuple(bad), bay_px=BAY_PX)
