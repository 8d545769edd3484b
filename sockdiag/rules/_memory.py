"""Memory of the protocols of a case."""

from __future__ import annotations

from sockdiag.analysis.memory import protocol_memory
from sockdiag.model.finding import Evidence
from sockdiag.model.record import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.rules._base import Case


def account_of(case: Case, name: str, *, before: bool = False) -> ProtocolMemory | None:
    """Return the account of a protocol, None where nothing is known of it."""
    look = case.before if before and case.before is not None else case.now
    cpus = None if look.softnet is None else len(look.softnet)
    rows = protocol_memory(look.sockstat, look.protocols, look.limits, look.page_size, cpus)
    return next((row for row in rows if row.protocol == name), None)


def pages_evidence(account: ProtocolMemory) -> Evidence:
    """Describe the memory of an account."""
    return Evidence(account.pages, "pages", account.limit_pages, f"/proc/net/sockstat; {account.limit_source}", HOST)


def trend(case: Case, account: ProtocolMemory, name: str) -> float | None:
    """Return the seconds until the limit at the measured rate; None where memory does not grow."""
    past = account_of(case, name, before=True) if case.before is not None else None
    if past is None or past.pages is None or account.pages is None or not account.limit_pages or not case.seconds:
        return None
    growth = account.pages - past.pages
    # Pages come and go in the CPUs' reserves: less than those is no trend.
    if growth <= (account.uncertainty_pages or 0):
        return None
    return round(max(0, account.limit_pages - account.pages) / (growth / case.seconds), 1)
