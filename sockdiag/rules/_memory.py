"""Memory of protocols and cgroups: what of it is used up, and advice on it."""

from __future__ import annotations

from sockdiag.analysis.memory import protocol_memory
from sockdiag.judging.case import Threshold
from sockdiag.model.finding import Advice, Evidence
from sockdiag.model.quantity import count, size
from sockdiag.model.record import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.judging.case import Case, Rule
    from sockdiag.model.cgroup_memory import CgroupMemory

# From here on a limit is near: per-CPU reserves make the level of a protocol uncertain, and charges come in batches.
FULL = 0.9

TREND = Threshold(
    "trend_ratio",
    0.5,
    "below half of the limit, the burst with which many connections begin looks like a trend, and ends by itself",
)

# For the declarations of rules: what account_of() and used_up() read.
ACCOUNT_SYSCTLS = ("net.core.mem_pcpu_rsv", "net.ipv4.tcp_mem", "net.ipv4.udp_mem")
ACCOUNT_PARTS = ("sockstat", "protocols", "softnet")
MEMORY_PARTS = (*ACCOUNT_PARTS, "cgroups")

WHO = Advice(
    "Find the processes that hold the memory.", "sockdiag memory --by process", "Unread buffers are the usual cause."
)


def account_of(case: Case, name: str, *, before: bool = False) -> ProtocolMemory | None:
    """Return the account of a protocol, None where nothing is known about it."""
    sample = case.before if before and case.before is not None else case.now
    cpus = None if sample.softnet is None else len(sample.softnet)
    rows = protocol_memory(sample.sockstat, sample.protocols, sample.limits, sample.page_size, cpus)
    return next((row for row in rows if row.protocol == name), None)


def memory_held(case: Case, account: ProtocolMemory) -> str:
    """Write the memory of an account against its limit."""
    page = case.now.page_size
    if account.pages is None:
        return "an unknown amount of memory"
    held, limit = (
        None if pages is None else size(pages * page) if page else f"{count(pages)} pages"
        for pages in (account.pages, account.limit_pages)
    )
    return f"{held}, limit unknown" if limit is None else f"{held} of {limit}"


def pages_evidence(account: ProtocolMemory) -> Evidence:
    """Describe the memory of an account."""
    return Evidence(account.pages, "pages", account.limit_pages, f"/proc/net/sockstat; {account.limit_source}", HOST)


def trend(case: Case, rule: Rule, account: ProtocolMemory, name: str) -> float | None:
    """Return the seconds until the limit at the measured rate; None where memory does not grow, or is far from the limit."""
    if account.ratio is None or account.ratio < case.threshold(rule, "trend_ratio"):
        return None
    past = account_of(case, name, before=True) if case.before is not None else None
    if past is None or past.pages is None or account.pages is None or not account.limit_pages:
        return None
    growth = account.pages - past.pages
    # Pages come and go in the CPUs' reserves: less than those is no trend.
    if growth <= (account.uncertainty_pages or 0):
        return None
    return case.lasts_s(account.limit_pages - account.pages, growth)


def concerns(case: Case, cgroup: CgroupMemory) -> bool | None:
    """Whether a cgroup has sockets or processes in the namespace of the case; None where that is not visible."""
    if case.now.netns in dict(cgroup.members):
        return True
    if cgroup.ids and any(not cgroup.ids.isdisjoint(batch.values("cgroup_id")) for batch in case.now.batches):
        return True
    return None if cgroup.unseen or case.now.netns is None else False


def full_cgroups(case: Case) -> list[CgroupMemory]:
    """Return the cgroups of sockets here whose memory is used up, the fullest first."""
    full = [one for one in case.now.cgroups or () if one.ratio >= FULL and concerns(case, one)]
    return sorted(full, key=lambda one: -one.ratio)


def cgroup_name(cgroup: CgroupMemory) -> str:
    """Write a cgroup."""
    return f"the cgroup {cgroup.path}"


def raise_cgroup(cgroup: CgroupMemory) -> Advice:
    """Advise on the limit of a cgroup."""
    from shlex import quote

    return Advice(
        f"Raise the memory limit of {cgroup_name(cgroup)}, or let its processes hold less.",
        f"echo {2 * cgroup.limit_bytes} > {quote(cgroup.file)}",
        "The limit applies to all its sockets together, whatever their own buffers are. The program that made the "
        "cgroup (systemd, a container runtime) may set it again.",
    )


def used_up(case: Case, protocol: str) -> tuple[str, tuple[Advice, ...]]:
    """Say which memory of TCP or UDP sockets is used up, and what to do about it; empty where none visibly is."""
    causes, advice = [], []
    account = account_of(case, protocol)
    if account is not None and account.ratio is not None and account.ratio >= FULL:
        causes.append(f"{protocol} sockets hold {memory_held(case, account)} ({account.limit_source})")
        advice.append(raise_protocol(account.limit_source))
    for cgroup in full_cgroups(case):
        causes.append(f"{cgroup_name(cgroup)} holds {size(cgroup.usage_bytes)} of {size(cgroup.limit_bytes)}")
        advice.append(raise_cgroup(cgroup))
    return "; ".join(causes), (WHO, *advice) if advice else ()


def raise_protocol(sysctl: str) -> Advice:
    """Advise on tcp_mem or udp_mem, which depends on the machine's RAM."""
    which = "the first number of " if sysctl == "net.ipv4.udp_mem" else ""
    return Advice(
        f"Raise {which}{sysctl} only as far as the machine's RAM allows. It counts pages, which the kernel does not "
        "swap.",
        None,
        "The limit affects every socket of the host, whatever its own buffer sizes.",
    )
