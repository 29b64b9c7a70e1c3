import asyncio
import os
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from core.field.broker_config import BrokerWish, write_broker
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError
from core.node.certificate_desk import CertificateDesk
from core.store.engine import open_store, sqlite_url
from core.store.tables import AuditRow
from tests.fixtures.room import OLGA, SUSI

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def broker_folder(tmp_path):
    wish = BrokerWish(hosts=("127.0.0.1",), broker_user="root" if os.geteuid() == 0 else "")
    write_broker(tmp_path / "broker", wish, NOW)
    return tmp_path / "broker"


def at_desk(tmp_path, folder, work):
    """Run `work(desk)` and return its answer and the audit's actions, oldest first."""

    async def run():
        store = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=FakeClock())
        try:
            error, answer = None, None
            try:
                answer = await work(CertificateDesk(store, FakeClock(), folder))
            except ConsoleError as raised:
                error = raised
            query = select(AuditRow.actor, AuditRow.action, AuditRow.subject).order_by(AuditRow.sequence)
            rows = await store.read(lambda session: [tuple(row) for row in session.execute(query)])
        finally:
            await store.close()
        return answer, error, rows

    return asyncio.run(run())


def test_a_supervisor_issues_a_certificate_and_the_audit_says_so(tmp_path, broker_folder):
    issued, _, rows = at_desk(tmp_path, broker_folder, lambda desk: desk.issue(SUSI, "station/s1"))

    assert issued.user == "station.s1"
    assert rows == [("susi", "device.issue_certificate", "station/s1")]
    assert "PRIVATE" not in (broker_folder / "site.json").read_text()


def test_an_operator_may_not(tmp_path, broker_folder):
    _, error, rows = at_desk(tmp_path, broker_folder, lambda desk: desk.issue(OLGA, "station/s1"))

    assert isinstance(error, NotPermittedError)
    assert rows == []


def test_what_could_not_be_taken_back_is_not_in_the_audit(tmp_path, broker_folder):
    _, error, rows = at_desk(tmp_path, broker_folder, lambda desk: desk.revoke(SUSI, "station/s9"))

    assert "no certificate that counts" in str(error)
    assert rows == []


def test_without_a_folder_the_way_out_is_named(tmp_path):
    _, error, _ = at_desk(tmp_path, None, lambda desk: desk.issue(SUSI, "station/s1"))

    assert isinstance(error, BadInputError)
    assert "broker.folder" in error.hint
