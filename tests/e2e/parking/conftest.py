from tests.e2e.parking.test_lots import field  # noqa: F401
from tests.fixtures.console import in_room, start_node  # noqa: F401
from tests.fixtures.mosquitto import mosquitto, start_mosquitto  # noqa: F401
