"""An inference server for tests and demonstrations: KServe's v2 protocol over HTTP, one of our engines behind it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from core.vision.engine import Engine

N_ROWS = 300
_HEADER_LENGTH = "Inference-Header-Content-Length"


class InferenceServer:
    """Serves one model on the loopback address; used as a context manager.

    Attributes:
        n_pictures: Pictures looked at so far.
        largest_batch: Most pictures of one request.
        is_broken: Answers with an error while true.
        hang: Cleared, the server takes requests and does not answer.
        connections: Of its clients; they end with the server.
        cost_s: What each picture takes at least, as on a slower card.
    """

    def __init__(self, engine: Engine, *, name: str = "roads", n_batch: int = 8, port: int = 0) -> None:
        """Take an engine, which is not closed here; port 0 is any free one."""
        self.engine = engine
        self.name = name
        self.n_batch = n_batch
        self.n_pictures = self.largest_batch = 0
        self.is_broken = False
        self.cost_s = 0.0
        self.hang = threading.Event()
        self.hang.set()
        self.connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="kserve", daemon=True)

    @property
    def url(self) -> str:
        """Address of the model, as it is written into the settings."""
        return f"http://127.0.0.1:{self._server.server_port}/{self.name}"

    def __enter__(self) -> InferenceServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        # Who made the engine closes it next: no request may still be in it.
        with self._lock:
            self._is_closed = True
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5.0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def describe(self, path: str) -> dict[str, Any] | None:
        """Return what is said about the model; None where there is none of that name."""
        width, height = self.engine.info.input_wh
        if path == f"/v2/models/{self.name}":
            return {
                "name": self.name,
                "versions": ["3"],
                "platform": "watchfloor",
                "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 3, height, width]}],
                "outputs": [{"name": "output0", "datatype": "FP32", "shape": [-1, N_ROWS, 6]}],
            }
        if path == f"/v2/models/{self.name}/config":
            labels = dict(enumerate(self.engine.info.labels))
            metadata = repr({"task": "detect", "imgsz": [height, width], "names": labels})
            return {
                "name": self.name,
                "max_batch_size": self.n_batch,
                "parameters": {"metadata": {"string_value": metadata}},
            }
        return None

    def infer(self, head: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Answer one request.

        Raises:
            ValueError: The tensor is not the one announced.
            ConnectionAbortedError: The server has ended meanwhile.
        """
        (entry,) = head["inputs"]
        pictures = np.frombuffer(data, np.float32).reshape(entry["shape"])
        rgb = np.rint(pictures.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        rows = np.zeros((len(rgb), N_ROWS, 6), np.float32)
        with self._lock:
            if self._is_closed:
                raise ConnectionAbortedError("this server has ended")
            time.sleep(self.cost_s * len(rgb))
            for number, boxes in enumerate(self.engine.infer(np.ascontiguousarray(rgb))):
                rows[number, : len(boxes)] = boxes[:N_ROWS]
            self.n_pictures += len(rgb)
            self.largest_batch = max(self.largest_batch, len(rgb))
        body = rows.tobytes()
        output = {
            "name": "output0",
            "datatype": "FP32",
            "shape": list(rows.shape),
            "parameters": {"binary_data_size": len(body)},
        }
        return {"model_name": self.name, "model_version": "3", "outputs": [output]}, body


def _handler_of(server: InferenceServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            server.connections.add(self.connection)

        def finish(self) -> None:
            server.connections.discard(self.connection)
            # Who hung up in the middle of an answer does not read the rest.
            with contextlib.suppress(OSError):
                super().finish()

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            found = server.describe(self.path)
            if found is None:
                self._answer(404, json.dumps({"error": f"unknown model {self.path.split('/')[3]!r}"}).encode())
                return
            self._answer(200, json.dumps(found).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.hang.wait()
            if server.is_broken:
                self._answer(500, json.dumps({"error": "the card fell off the bus"}).encode())
                return
            n_head = int(self.headers[_HEADER_LENGTH])
            head, data = server.infer(json.loads(body[:n_head]), body[n_head:])
            text = json.dumps(head).encode()
            self._answer(200, text + data, n_head=len(text))

        def log_message(self, format: str, *args: object) -> None:
            del format, args

        def _answer(self, status: int, body: bytes, *, n_head: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if n_head is not None:
                self.send_header(_HEADER_LENGTH, str(n_head))
            self.end_headers()
            self.wfile.write(body)

    return Handler
