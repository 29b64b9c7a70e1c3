"""Decoding and scaling in one thread, inference in another, a few prepared pictures between them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from core.media.convert import Letterbox, TileScaler
from core.media.masks import PrivacyMask
from core.media.model import SourceSpec
from core.media.source import Source, open_source
from core.vision.detail import detail_areas
from core.vision.model import Scene

N_PREPARED = 4
"""Pictures that may wait: enough to ride out a key frame, few enough that memory and delay stay small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A picture in the form that the network takes.

    Attributes:
        rgb: Shape (h, w, 3), uint8.
        pts_s: Picture time; the time of arrival where a live source has none.
        aspect: Width of the camera's picture over its height.
        frame: The picture itself, where a zone is looked at more closely; else None.
    """

    rgb: NDArray[np.uint8]
    letterbox: Letterbox
    pts_s: float
    aspect: float
    frame: av.VideoFrame | None = None


class PreparedPictures:
    """Every picture of a source, prepared ahead of time; of a live source the newest ones.

    Used as a context manager; iterate once. A file is read to its end without leaving out a picture; a live source is
    never held up, what nobody took in time is dropped and counted.

    Attributes:
        n_dropped: Pictures of a live source that were passed over.
    """

    def __init__(self, spec: SourceSpec, input_wh: tuple[int, int], *, scene: Scene | None = None) -> None:
        """Open the source; reading begins with `__enter__`.

        Args:
            spec: Of the source.
            input_wh: Of the network [px].
            scene: Drawn on its pictures: what is private in it is black, what is looked at more closely comes along.

        Raises:
            BadInputError, NotPermittedError, UnavailableError: As from `open_source`.
        """
        self._source: Source = open_source(spec)
        self._input_wh = input_wh
        self._mask = PrivacyMask(scene.private_parts if scene is not None else ())
        self._keeps_frames = scene is not None and bool(detail_areas(scene))
        self._queue: queue.Queue[Prepared | None] = queue.Queue(maxsize=N_PREPARED)
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._read_all, name="prepare", daemon=True)
        self.n_dropped = 0

    @property
    def is_live(self) -> bool:
        """Whether pictures come at their own time."""
        return self._source.is_live

    @property
    def n_broken(self) -> int:
        """Packets that could not be decoded."""
        return self._source.n_broken

    def __enter__(self) -> PreparedPictures:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        # A reader that hangs in a driver ends with its read time-out; it is a daemon, so nobody waits for longer.
        self._thread.join(timeout=10.0)

    def __iter__(self) -> Iterator[Prepared]:
        """Yield pictures in order.

        Raises:
            UnavailableError: The source broke off.
        """
        for prepared in self.or_beats(None):
            if prepared is not None:
                yield prepared

    def or_beats(self, every_s: float | None) -> Iterator[Prepared | None]:
        """Yield pictures in order, and None whenever for so long none came: a source may stay open and bring nothing.

        Raises:
            UnavailableError: The source broke off.
        """
        while True:
            try:
                prepared = self._queue.get(timeout=every_s)
            except queue.Empty:
                yield None
                continue
            if prepared is None:
                break
            yield prepared
        if self._failure is not None:
            raise self._failure

    def _read_all(self) -> None:
        try:
            self._read_until_end()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that iterates, which raises it
            self._failure = error
        finally:
            self._source.close()
            self._put(None)

    def _read_until_end(self) -> None:
        scaler = TileScaler()
        index = 0
        while not self._stopping.is_set() and (frames := self._source.read()) is not None:
            received_s = time.monotonic()
            for seen in frames:
                frame = self._mask.blacken(seen)
                rgb, letterbox = scaler.to_network_rgb(frame, self._input_wh)
                pts_s = self._pts_s(frame, index, received_s)
                index += 1
                aspect = letterbox.frame_w / letterbox.frame_h
                kept = frame if self._keeps_frames else None
                self._put(Prepared(rgb=rgb, letterbox=letterbox, pts_s=pts_s, aspect=aspect, frame=kept))

    def _pts_s(self, frame: av.VideoFrame, index: int, received_s: float) -> float:
        if not self._source.is_timed:
            # libav would count 25 a second, however many come.
            return received_s
        if frame.pts is None:
            # Raw files carry no time: count pictures instead.
            return index / (self._source.fps or 25.0)
        return float(frame.pts * frame.time_base)

    def _put(self, prepared: Prepared | None) -> None:
        while not self._stopping.is_set():
            try:
                self._queue.put(prepared, timeout=0.0 if self._source.is_live and prepared is not None else 0.2)
            except queue.Full:
                if self._source.is_live and prepared is not None:
                    self._drop_oldest()
                continue
            return

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
        except queue.Empty:
            return
        self.n_dropped += 1
