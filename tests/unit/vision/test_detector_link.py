"""The line between worker and detector while either end goes away."""

from multiprocessing.connection import Pipe

from core.vision.detector import _Client
from core.vision.detector_link import DetectorLink
from core.vision.inference import InferenceLoop
from core.vision.messages import CloseLooks, Looked

LOOKED = Looked(camera_id="a", sequence=1, boxes=None, seconds=0.0, share=1.0)


class Engine:
    n_batch = 1

    def close(self):
        pass


def test_an_answer_to_a_worker_that_just_left_does_not_end_the_detector():
    ours, theirs = Pipe()
    client = _Client(ours, InferenceLoop(Engine()), (96, 64))
    theirs.close()
    client.send(LOOKED)  # The other end is closed.
    client.listen()  # Notices it, and closes its own.

    client.send(LOOKED)

    assert ours.closed


def test_a_worker_that_asks_nonsense_is_hung_up_on_and_the_detector_goes_on():
    ours, theirs = Pipe()
    client = _Client(ours, InferenceLoop(Engine()), (96, 64))
    theirs.send_bytes(b"no message at all")

    client.listen()

    assert ours.closed
    theirs.close()


def test_a_look_while_the_line_goes_down_is_lost_and_nothing_else():
    link = DetectorLink(on_engine=lambda engine: None, on_looked=lambda looked: None, on_gone=lambda: None)
    ours, theirs = Pipe()
    link._connection = ours
    ours.close()

    link.send(CloseLooks(camera_id="a"))

    theirs.close()
