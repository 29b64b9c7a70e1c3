"""How large the pictures are that the network sees is a setting."""

from core.cameras.model import Camera
from tests.fixtures.link import at_desk
from tests.unit.vision.toy_model import save_toy_openvino


async def detector_of(desk, camera):
    """Add a camera; return what its detector says of itself."""
    await desk.enter()
    await desk.client.call(
        "cameras.add", Camera, camera=Camera(camera_id="", name="Test", address=camera.url), password=""
    )

    def engine():
        workers = desk.health.workers if desk.health is not None else ()
        return next((worker.engine for worker in workers if worker.engine is not None), None)

    return await desk.until(engine, "a detector", 60)


def size_notices(desk):
    return [notice.message for notice in desk.health.notices if notice.key == "size"]


def test_the_network_sees_pictures_of_the_size_that_is_set(start_node, start_camera):
    node = start_node("vision.model=demo", "vision.input_size=320x192")
    camera = start_camera()

    async def scenario(desk):
        found = await detector_of(desk, camera)
        assert found.input_wh == (320, 192)
        assert size_notices(desk) == []

    at_desk(node.folder, scenario)


def test_a_model_of_one_fixed_size_is_named_where_another_size_is_set(start_node, start_camera, tmp_path):
    model = save_toy_openvino(tmp_path / "toy_openvino_model")
    node = start_node(f"vision.model={model}", "vision.input_size=320x192")
    camera = start_camera()

    async def scenario(desk):
        found = await detector_of(desk, camera)
        (said,) = await desk.until(lambda: size_notices(desk), "a notice")
        assert found.input_wh == (96, 64)
        assert said.startswith(f"The model {found.model_name} is made for pictures of 96x64 only")
        assert "not in 320x192 as vision.input_size asks" in said

    at_desk(node.folder, scenario)
