from tests.fixtures.mosquitto import mosquitto, start_mosquitto  # noqa: F401
