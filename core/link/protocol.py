"""What travels between a console and its node: framed MessagePack on one TCP connection.

A frame is four bytes of length (big endian) and a body. Bodies are arrays:
`["q", id, verb, args]` asks, `["a", id, result]` and `["e", id, kind, message, hint]` answer,
`["p", topic, data]` pushes.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgspec

from core.kernel.errors import BadInputError

PROTOCOL = 1
MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_FRAME_BYTES_BEFORE_SIGN_IN = 16 * 1024
_HEADER = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


def encode(body: list[Any]) -> bytes:
    """Frame one message; models are written as maps, instants as MessagePack's timestamps.

    Raises:
        BadInputError: It is larger than a frame may be.
    """
    data = _encoder.encode(body)
    if len(data) > MAX_FRAME_BYTES:
        raise BadInputError(f"A message of {len(data) / 1e6:.0f} MB is too large for the link.")
    return _HEADER.pack(len(data)) + data


async def read_message(reader: asyncio.StreamReader, *, max_bytes: int) -> list[Any]:
    """Read one message.

    Raises:
        asyncio.IncompleteReadError: The other side closed.
        BadInputError: The bytes are no message of this protocol.
    """
    (length,) = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if length > max_bytes:
        raise BadInputError(f"A message of {length} bytes is larger than the {max_bytes} allowed here.")
    data = await reader.readexactly(length)
    try:
        body = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadInputError(f"The link carries something that is no message ({error}).") from error
    if not isinstance(body, list) or not body or not isinstance(body[0], str):
        raise BadInputError("The link carries a message of an unknown form.")
    return body
