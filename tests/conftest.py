"""What holds for the whole suite: it leaves nothing running."""

import psutil
import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made says how busy the machine is, nothing about the program.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The quick run judges a change, so it tries the same examples every time; the slow one looks for new ones.
settings.register_profile("same examples", settings.get_profile("shared machine"), derandomize=True)


def pytest_configure(config):
    settings.load_profile("same examples" if config.option.markexpr == "not slow" else "shared machine")


@pytest.fixture(autouse=True)
def _site_in_utc():
    from core.kernel.zone import set_site_zone

    set_site_zone("UTC")
    yield
    set_site_zone("")


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_running():
    yield
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=5)
    # Python's own helper of multiprocessing ends with us.
    left = [child.cmdline() for child in alive if not any("resource_tracker" in part for part in child.cmdline())]
    assert not left, f"the tests left processes behind: {left}"
