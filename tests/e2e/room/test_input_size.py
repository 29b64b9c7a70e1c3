"""How large the pictures are that the network sees is a setting."""

from core.cameras.model import Camera
from tests.fixtures.link import at_desk


def test_the_network_sees_pictures_of_the_size_that_is_set(start_node, start_camera):
    node = start_node("vision.model=demo", "vision.input_size=320x192")
    camera = start_camera()

    async def scenario(desk):
        await desk.enter()
        await desk.client.call(
            "cameras.add", Camera, camera=Camera(camera_id="", name="Test", address=camera.url), password=""
        )

        def engine():
            workers = desk.health.workers if desk.health is not None else ()
            return next((worker.engine for worker in workers if worker.engine is not None), None)

        found = await desk.until(engine, "a detector", 60)
        assert found.input_wh == (320, 192)

    at_desk(node.folder, scenario)
