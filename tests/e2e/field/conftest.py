from tests.fixtures.mosquitto import (  # noqa: F401
    mosquitto,
    mosquitto_mutual_tls,
    mosquitto_persistent,
    mosquitto_tls,
    mosquitto_with_password,
    start_mosquitto,
)
from tests.fixtures.tcp_proxy import proxy_to  # noqa: F401
