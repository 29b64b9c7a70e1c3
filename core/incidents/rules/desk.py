"""Where the rules are kept: every saved state with author, time, reason and what it changed; none is ever removed."""

from __future__ import annotations

import logging
from datetime import datetime, tzinfo

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.access.permission import require
from core.incidents.rules.book import RuleBook, shipped_book, shipped_tunings
from core.incidents.rules.mending import REASON, mend
from core.incidents.rules.model import (
    MAX_REASON_LENGTH,
    MIN_REASON_LENGTH,
    Difference,
    RuleProblem,
    RuleReport,
    RulesChanged,
    RuleSet,
    RulesInForce,
    RuleVersion,
)
from core.incidents.rules.text import check_rules, check_text, differences, rules_of_text, shipped_rules, text_of_rules
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, StaleWriteError, UnavailableError
from core.kernel.wire import from_builtins, to_builtins
from core.store.engine import Store
from core.store.rows import storable, words_of
from core.store.tables import RuleVersionRow

log = logging.getLogger(__name__)

MAX_VERSIONS = 500


class RuleDesk:
    """The rules in force, and how they are changed.

    Threads: the owner's loop; `book` is replaced as a whole.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, zone: tzinfo | None = None) -> None:
        """Begin with the rules that the program brings; hours are meant in `zone`, None is this machine's."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self.book: RuleBook = shipped_book(zone)
        self.tunings = shipped_tunings()

    async def load(self) -> str:
        """Take up the rules that were saved last.

        Returns:
            Why they cannot be used, where that is so: those that the program brings are in force then.
        """
        row = await self._store.read(_newest)
        if row is None:
            return ""
        version, text = row
        try:
            rules = rules_of_text(text)
        except ConsoleError as error:
            return await self._load_mended(version, text, error)
        self._put_in_force(RulesInForce(rules=rules, version=version))
        return ""

    async def _load_mended(self, version: int, text: str, error: ConsoleError) -> str:
        """Take up rules that an earlier version of the program saved; what became of them is a version of its own."""
        try:
            saved, rules = mend(text)
        except ConsoleError:
            log.error("version %d of the alarm rules cannot be used: %s", version, error)
            # The version is kept, or the next save would take it for a race.
            self._put_in_force(RulesInForce(rules=shipped_rules(), version=version))
            return f"Version {version} of the alarm rules cannot be used: {error.message}"
        found = differences(saved, rules)
        log.warning("version %d of the alarm rules was mended: %s", version, _summary(found))

        def run(session: Session) -> None:
            _add_version(session, SYSTEM, rules, version + 1, found, reason=REASON, at=self._clock.now())

        try:
            await self._store.write(run)
        except (UnavailableError, SQLAlchemyError) as failed:
            # The next start tries again; meanwhile they are in force as they were mended.
            log.error("the mended alarm rules could not be stored: %s", failed)
        else:
            version += 1
        self._put_in_force(RulesInForce(rules=rules, version=version))
        return ""

    async def save(self, actor: Actor, rules: RuleSet, *, expect_version: int, reason: str) -> RulesInForce:
        """Put other rules in force.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: A rule is not right, nothing changed, or no reason was given.
            StaleWriteError: Somebody saved since `expect_version`.
        """
        require(actor, Role.SUPERVISOR)
        reason = words_of(reason, MAX_REASON_LENGTH)
        if len(reason) < MIN_REASON_LENGTH:
            raise BadInputError(
                "A change of the alarm rules needs a reason.", hint="Write why, for whoever asks later."
            )
        _refuse_wrong(check_rules(rules))
        at = self._clock.now()

        def run(session: Session) -> tuple[Difference, ...]:
            newest = _newest(session)
            version, before = (0, shipped_rules()) if newest is None else (newest[0], _read_or_shipped(newest[1]))
            if version != expect_version:
                raise StaleWriteError(
                    f"The alarm rules were changed meanwhile: version {version} is in force.",
                    hint="Look at what changed, then make your change again.",
                )
            found = differences(before, rules)
            if not found:
                raise BadInputError("Nothing is different from the rules in force.", hint="Change something first.")
            _add_version(session, actor, rules, version + 1, found, reason=reason, at=at)
            return found

        await self._store.write(run)
        in_force = RulesInForce(rules=rules, version=expect_version + 1)
        self._put_in_force(in_force)
        self._bus.publish(RulesChanged(in_force=in_force))
        return in_force

    async def history(self, *, limit: int = 100, before: int = 0) -> tuple[RuleVersion, ...]:
        """Return the saved states, newest first; with `before`, only older ones."""
        query = select(RuleVersionRow).order_by(RuleVersionRow.version.desc()).limit(max(1, min(limit, MAX_VERSIONS)))
        if before:
            query = query.where(RuleVersionRow.version < before)
        return await self._store.read(lambda s: tuple(_version_of(row) for row in s.scalars(query)))

    async def rules_at(self, version: int) -> RuleSet:
        """Return the rules of a saved state; 0 is what the program brings.

        Raises:
            BadInputError: There is no such state, or this program cannot read it.
        """
        if version == 0:
            return shipped_rules()

        def run(session: Session) -> str | None:
            row = session.get(RuleVersionRow, version)
            return None if row is None else row.text

        text = await self._store.read(run)
        if text is None:
            raise BadInputError(f"There is no version {version} of the alarm rules.", hint="Look at the history again.")
        return _read(text)

    def check(self, text: str) -> RuleReport:
        """Read a document and tell what is wrong in it, and what it would change; saves nothing."""
        report = check_text(text)
        if report.rules is None:
            return report
        return RuleReport(
            problems=report.problems,
            rules=report.rules,
            n_read=report.n_read,
            differences=differences(self.book.in_force.rules, report.rules),
        )

    def export(self) -> str:
        """Return the rules in force as a document."""
        return text_of_rules(self.book.in_force.rules)

    def book_of(self, rules: RuleSet) -> RuleBook:
        """Return what other rules would be here."""
        return RuleBook(RulesInForce(rules=rules, version=0), self.book.zone)

    def _put_in_force(self, in_force: RulesInForce) -> None:
        self.book = RuleBook(in_force, self.book.zone)
        self.tunings.replace(self.book.tunings)
        self.tunings.suppression = self.book.suppressions()


def _newest(session: Session) -> tuple[int, str] | None:
    row = session.scalars(select(RuleVersionRow).order_by(RuleVersionRow.version.desc()).limit(1)).first()
    return None if row is None else (row.version, row.text)


def _add_version(
    session: Session,
    actor: Actor,
    rules: RuleSet,
    version: int,
    found: tuple[Difference, ...],
    *,
    reason: str,
    at: datetime,
) -> None:
    session.add(
        RuleVersionRow(
            version=version,
            at=at,
            author=storable(actor.name),
            desk=storable(actor.desk),
            reason=reason,
            n_rules=len(rules.rules),
            text=storable(text_of_rules(rules)),
            differences=to_builtins(found),
        )
    )
    detail = f"{reason}; {_summary(found)}"
    audit.append(session, actor, action="rules.save", subject=f"alarm rules, version {version}", detail=detail, at=at)


def _read(text: str) -> RuleSet:
    try:
        return rules_of_text(text)
    except ConsoleError as error:
        try:
            return mend(text)[1]
        except ConsoleError:
            raise error from None


def _read_or_shipped(text: str) -> RuleSet:
    try:
        return _read(text)
    except ConsoleError:
        return shipped_rules()


def _version_of(row: RuleVersionRow) -> RuleVersion:
    return RuleVersion(
        version=row.version,
        at=row.at,
        author=row.author,
        desk=row.desk,
        reason=row.reason,
        n_rules=row.n_rules,
        differences=from_builtins(row.differences, tuple[Difference, ...]),
    )


def _refuse_wrong(problems: tuple[RuleProblem, ...]) -> None:
    wrong = [problem for problem in problems if not problem.is_warning]
    if wrong:
        where = f"{wrong[0].rule_id}: " if wrong[0].rule_id else ""
        more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise BadInputError(f"{where}{wrong[0].sentence}{more}", hint="Correct it, then save.")


def _summary(found: tuple[Difference, ...]) -> str:
    parts = [f"{one.rule_id} {one.path}: {one.before or '--'} → {one.after or '--'}".strip() for one in found]
    shown = "; ".join(parts[:20])
    return shown if len(parts) <= 20 else f"{shown}; and {len(parts) - 20} more"
