"""Who does not serve HTTP does not pay for it."""

import subprocess
import sys

import pytest

from tests.fixtures.testdata import ROOT


@pytest.mark.parametrize("module", ["core.node.node", "app.bootstrap"])
def test_node_and_console_start_without_the_libraries_of_the_gateway(module):
    unwanted = {"fastapi", "starlette", "uvicorn", "opentelemetry"}
    code = f"import sys, {module}; print(sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
