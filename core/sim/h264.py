"""An H.264 clip taken apart into what a camera sends: access units, and RTP packets made of them."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from core.kernel.errors import BadInputError

RTP_CLOCK_HZ = 90_000
"""Ticks a second of every RTP video timestamp (RFC 6184, 8.1)."""

_FU_A = 28


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture.

    Attributes:
        decode_s, pts_s: Since the first picture's decode time.
        nals: NAL units without length or start code.
    """

    decode_s: float
    pts_s: float
    is_key: bool
    nals: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """A whole clip, in decode order; starts with a key picture.

    Attributes:
        parameter_sets: SPS and PPS, sent before every key picture.
        duration_s: From the first picture to where the next loop begins.
    """

    width: int
    height: int
    duration_s: float
    parameter_sets: tuple[bytes, ...]
    units: tuple[AccessUnit, ...]

    def sdp(self) -> str:
        """Describe the stream as a camera does (RFC 4566, RFC 6184)."""
        profile = self.parameter_sets[0][1:4].hex()
        sets = ",".join(base64.b64encode(each).decode() for each in self.parameter_sets)
        return (
            "m=video 0 RTP/AVP 96\r\n"
            f"a=rtpmap:96 H264/{RTP_CLOCK_HZ}\r\n"
            f"a=fmtp:96 packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}\r\n"
            "a=control:track1\r\n"
        )


def load_clip(path: Path) -> Clip:
    """Read an MP4 with H.264 video.

    Raises:
        BadInputError: The file cannot be read, or holds no H.264 in MP4 form.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInputError(f"{path.name} has no video.", hint="Choose an MP4 file with H.264 video.")
            return _read_stream(container, path.name)
    except (OSError, av.FFmpegError) as error:
        raise BadInputError(
            f"{path.name} cannot be read as a clip: {error}.", hint="Choose an MP4 file with H.264 video."
        ) from error


def _read_stream(container: av.container.InputContainer, name: str) -> Clip:
    stream = container.streams.video[0]
    context = stream.codec_context
    header = bytes(context.extradata or b"")
    # avcC (ISO 14496-15): 1 as its first byte; a start code instead would mean an elementary stream.
    if context.name != "h264" or len(header) < 7 or header[0] != 1:
        raise BadInputError(
            f"{name} is {context.name}, not H.264 in MP4.",
            hint="Convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
        )
    length_size = (header[4] & 3) + 1
    packets = [packet for packet in container.demux(stream) if packet.size and packet.pts is not None]
    while packets and not packets[0].is_keyframe:
        packets.pop(0)
    if len(packets) < 2 or stream.time_base is None:
        raise BadInputError(f"{name} holds fewer than two pictures.", hint="Choose a longer clip.")
    tick_s = float(stream.time_base)
    decode_ticks = [packet.dts if packet.dts is not None else int(packet.pts or 0) for packet in packets]
    first = decode_ticks[0]
    units = tuple(
        AccessUnit(
            decode_s=(ticks - first) * tick_s,
            pts_s=(int(packet.pts or 0) - first) * tick_s,
            is_key=packet.is_keyframe,
            nals=tuple(_split_nals(bytes(packet), length_size)),
        )
        for packet, ticks in zip(packets, decode_ticks, strict=True)
    )
    return Clip(
        width=context.width,
        height=context.height,
        duration_s=units[-1].decode_s * len(units) / (len(units) - 1),
        parameter_sets=tuple(_parameter_sets(header)),
        units=units,
    )


def _parameter_sets(header: bytes) -> Iterator[bytes]:
    """Yield SPS and PPS of an avcC box (ISO 14496-15, 5.3.3.1)."""
    at = 5
    for mask in (0x1F, 0xFF):
        n_sets = header[at] & mask
        at += 1
        for _ in range(n_sets):
            (size,) = struct.unpack_from(">H", header, at)
            yield header[at + 2 : at + 2 + size]
            at += 2 + size


def _split_nals(data: bytes, length_size: int) -> Iterator[bytes]:
    at = 0
    while at + length_size <= len(data):
        size = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        yield data[at : at + size]
        at += size


class Packetiser:
    """Numbers and builds the RTP packets of one stream."""

    def __init__(self, *, ssrc: int, payload_type: int = 96, max_payload_bytes: int = 1400) -> None:
        """Start at sequence number 1."""
        self._ssrc = ssrc
        self._payload_type = payload_type
        self._max_payload_bytes = max_payload_bytes
        self.next_sequence = 1
        self.n_packets = 0
        self.n_bytes = 0

    def video(self, nals: tuple[bytes, ...], ticks: int) -> list[bytes]:
        """Return the packets of one picture; the last one carries the marker (RFC 6184, single NAL and FU-A)."""
        packets = []
        for number, nal in enumerate(nals):
            is_last_nal = number == len(nals) - 1
            parts = list(self._fragments(nal))
            for part_number, part in enumerate(parts):
                is_last = is_last_nal and part_number == len(parts) - 1
                packets.append(self.packet(part, ticks, is_marked=is_last))
        return packets

    def packet(self, payload: bytes, ticks: int, *, is_marked: bool) -> bytes:
        """Put the RTP header (RFC 3550, 5.1) before a payload."""
        header = struct.pack(
            ">BBHII",
            0x80,
            (0x80 if is_marked else 0) | self._payload_type,
            self.next_sequence & 0xFFFF,
            ticks & 0xFFFFFFFF,
            self._ssrc,
        )
        self.next_sequence += 1
        self.n_packets += 1
        self.n_bytes += len(payload)
        return header + payload

    def sender_report(self, unix_s: float, ticks: int) -> bytes:
        """Return an RTCP sender report (RFC 3550, 6.4.1): which wall time a timestamp belongs to."""
        ntp = int((unix_s + 2_208_988_800) * 2**32)
        return struct.pack(
            ">BBHIQIII",
            *(0x80, 200, 6, self._ssrc, ntp, ticks & 0xFFFFFFFF, self.n_packets & 0xFFFFFFFF),
            self.n_bytes & 0xFFFFFFFF,
        )

    def _fragments(self, nal: bytes) -> Iterator[bytes]:
        if len(nal) <= self._max_payload_bytes:
            yield nal
            return
        indicator = (nal[0] & 0xE0) | _FU_A
        nal_type = nal[0] & 0x1F
        step = self._max_payload_bytes - 2
        for at in range(1, len(nal), step):
            start = 0x80 if at == 1 else 0
            end = 0x40 if at + step >= len(nal) else 0
            yield bytes((indicator, start | end | nal_type)) + nal[at : at + step]
