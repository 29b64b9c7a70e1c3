"""The password of a configured broker is looked up whenever it is needed: a keyring may be unlocked later."""

import asyncio

import keyring
import pytest

from core.kernel.errors import UnavailableError
from core.kernel.secrets import AGAIN_S, SERVICE, Secrets
from core.kernel.settings import BrokerSection
from core.node.ears import open_broker
from tests.fixtures.keyrings import MemoryKeyring, no_keyring_of_this_machine  # noqa: F401

pytestmark = pytest.mark.usefixtures("no_keyring_of_this_machine")


def test_the_password_of_a_broker_is_read_once_the_keyring_tells_it(tmp_path):
    backend, now_s = MemoryKeyring(), [1000.0]
    keyring.set_keyring(backend)
    backend.kept[SERVICE, "broker"] = "hunter2"
    backend.is_locked = True
    secrets = Secrets(monotonic=lambda: now_s[0])
    wanted = BrokerSection(host="broker.example", username="core")

    broker = asyncio.run(open_broker(wanted, tenant="city", folder=tmp_path, secrets=secrets))

    with pytest.raises(UnavailableError, match="cannot be read"):
        broker.read_password()
    backend.is_locked = False
    now_s[0] += AGAIN_S
    assert broker.read_password() == "hunter2"
