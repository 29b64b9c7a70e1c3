from tests.fixtures.console import in_room, start_node  # noqa: F401
from tests.fixtures.mosquitto import mosquitto, mosquitto_with_password, start_mosquitto  # noqa: F401
from tests.fixtures.postgres import postgres_server, postgres_url  # noqa: F401
from tests.fixtures.rtsp import start_camera  # noqa: F401
