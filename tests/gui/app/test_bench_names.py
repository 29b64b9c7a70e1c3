"""The command line names every bench that there is."""

import pytest

from app.bench import run_benches
from app.bench_names import BENCHES
from app.cli import main
from core.kernel.errors import BadInputError


def test_help_lists_every_bench(capsys):
    with pytest.raises(BadInputError) as refused:
        run_benches(["nothing"], clip=None, model="", minutes=None, as_json=False)
    with pytest.raises(SystemExit):
        main(["bench", "--help"])

    assert refused.value.hint == f"There are {', '.join(BENCHES)}."
    assert ", ".join(BENCHES) in " ".join(capsys.readouterr().out.split())
