import logging
import sys

import pytest

from core.kernel.log import LINES_BETWEEN_LOOKS, _Lines, _LogFile

LINE = "an alarm that is logged, {:05d}"
MAX_BYTES = 10_000


@pytest.fixture
def logger():
    made = logging.getLogger("tests.log")
    made.propagate = False
    yield made
    for handler in tuple(made.handlers):
        made.removeHandler(handler)
        handler.close()
    made.propagate = True


def test_a_full_log_goes_on_in_the_next_file_and_loses_no_line(logger, tmp_path):
    handler = _LogFile(tmp_path / "node.log", maxBytes=MAX_BYTES, backupCount=4, encoding="utf-8", delay=True)
    handler.setFormatter(_Lines("%(message)s"))
    logger.addHandler(handler)

    for number in range(1000):
        logger.warning(LINE.format(number))

    files = sorted(tmp_path.iterdir(), key=lambda file: file.name, reverse=True)
    assert len(files) > 2
    assert max(file.stat().st_size for file in files) <= MAX_BYTES + LINES_BETWEEN_LOOKS * len(LINE)
    lines = "".join(file.read_text(encoding="utf-8") for file in files).splitlines()
    assert lines == [LINE.format(number) for number in range(1000)]


def test_each_record_has_its_own_line_however_many_handlers_write_it(logger, tmp_path):
    made = []

    class Counted(_Lines):
        def formatMessage(self, record):
            made.append(record.msg)
            return super().formatMessage(record)

    lines = Counted("%(levelname)s %(message)s")
    for name in ("a", "b"):
        handler = logging.FileHandler(tmp_path / name, encoding="utf-8")
        handler.setFormatter(lines)
        logger.addHandler(handler)
    try:
        raise ValueError("disk full")
    except ValueError:
        trace = sys.exc_info()

    for message, info in (("lost", None), ("lost", None), ("broken", trace)):
        logger.error(message, exc_info=info)

    written = (tmp_path / "a").read_text(encoding="utf-8")
    assert written.splitlines()[:3] == ["ERROR lost", "ERROR lost", "ERROR broken"]
    assert written.endswith("ValueError: disk full\n")
    assert (tmp_path / "b").read_text(encoding="utf-8") == written
    assert made == ["lost", "lost", "broken"]
