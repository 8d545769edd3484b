"""Causes and effects among the findings of one namespace: a device that drops everything, and the peers that fall silent behind it.

A rule declares the rules that explain its findings. A finding is an effect if one of those found something about the same
device, neighbour, listener or process, or about the namespace as a whole.
"""

from __future__ import annotations

from sockdiag.judging.registry import load
from sockdiag.model.address import ANYWHERE, is_loopback, plain_address
from sockdiag.model.batch import identities
from sockdiag.model.finding import AT_RISK, DROPPING, INFO, OK, RECOVERED, SEVERITIES, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockdiag.judging.case import Case, Explained, Hit
    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Socket

# Connections of an effect that are compared with a listener.
_ASKED = 100


def mark_effects(case: Case, hits: Sequence[Hit]) -> list[Hit]:
    """Mark the findings that another one explains: they name it, and are of the severity info.

    The cause is at least as severe as its worst effect, and drops if that does. Other verdicts stay: a connection whose peer
    is unreachable is stalled, whatever the cause.
    """
    causes: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.finding.verdict not in (OK, RECOVERED, UNKNOWN):
            causes.setdefault(hit.finding.code, []).append(hit)
    found = {id(hit): pair for hit in hits if (pair := _cause_of(case, hit, causes)) is not None}
    # A cause may itself be an effect: the first of the chain is what counts.
    roots = {one: _root(cause, found) for one, (cause, _how) in found.items()}
    worst: dict[int, str] = {}
    drop: set[int] = set()
    for hit in hits:
        if id(hit) in roots:
            root = id(roots[id(hit)])
            worst[root] = min(worst.get(root, INFO), hit.finding.severity, key=SEVERITIES.index)
            if hit.finding.verdict == DROPPING:
                drop.add(root)
    marked = []
    for hit in hits:
        finding = hit.finding
        if id(hit) not in roots:
            severity = min(finding.severity, worst.get(id(hit), INFO), key=SEVERITIES.index)
            # A risk that has come true: the loss is among its effects.
            verdict = DROPPING if id(hit) in drop and finding.verdict == AT_RISK else finding.verdict
            changed = (severity, verdict) != (finding.severity, finding.verdict)
            marked.append(hit.changed(finding._replace(severity=severity, verdict=verdict)) if changed else hit)
            continue
        cause = roots[id(hit)].finding
        text = f"An effect of {cause.code}: {cause.summary}."
        # What might happen next depends on the cause.
        takes = finding.verdict == AT_RISK or found[id(hit)][1].takes_verdict
        verdict = cause.verdict if takes else finding.verdict
        marked.append(hit.changed(finding._replace(severity=INFO, effect_of=cause.code, cause=text, verdict=verdict)))
    return marked


def _root(cause: Hit, found: dict[int, tuple[Hit, Explained]]) -> Hit:
    seen = {id(cause)}
    while id(cause) in found and id(found[id(cause)][0]) not in seen:
        cause = found[id(cause)][0]
        seen.add(id(cause))
    return cause


def _cause_of(case: Case, effect: Hit, causes: dict[str, list[Hit]]) -> tuple[Hit, Explained] | None:
    if effect.finding.verdict in (RECOVERED, UNKNOWN):
        return None
    for one in load(effect.finding.code).RULE.explained_by:
        if one.about and one.about != effect.finding.subject.name:
            continue
        for cause in causes.get(one.code, ()):
            if cause is not effect and _concerns(case, cause, effect, one) and _strong(cause, one):
                return cause, one
    return None


def _strong(cause: Hit, one: Explained) -> bool:
    share = cause.finding.evidence.get("share")
    known = share.value if share is not None and isinstance(share.value, (int, float)) else 0.0
    return known >= one.share


def _concerns(case: Case, cause: Hit, effect: Hit, one: Explained) -> bool:
    if one.listener:
        return _at_listener(cause, effect)
    if one.holder:
        return _of_holder(cause, effect)
    return _same_place(case, cause, effect)


def _of_holder(cause: Hit, effect: Hit) -> bool:
    """Return whether both findings name one process, or the effect is about sockets that the cause lists as held by it."""
    pid = cause.finding.subject.pid
    if pid is not None and pid == effect.finding.subject.pid:
        return True
    return not {_key(row) for row in cause.rows}.isdisjoint(_key(row) for row in effect.rows[:_ASKED])


def _key(row: tuple[Batch, int]) -> object:
    return identities(row[0])[row[1]]


def _at_listener(cause: Hit, effect: Hit) -> bool:
    """Return whether the connections of an effect lead to the listener of a cause, in this namespace."""
    listener = cause.finding.subject.local
    if listener is None or not effect.rows:
        return False
    return all(_leads_to(listener, batch.at([row])[0]) for batch, row in effect.rows[:_ASKED])


def _leads_to(listener: Endpoint, client: Socket) -> bool:
    peer, own = plain_address(client.peer.address), plain_address(client.local.address)
    if client.peer.port != listener.port:
        return False
    # Unless it was bound, a client that connects to an address of its own host has the same one.
    here = is_loopback(peer) or peer == own
    return plain_address(listener.address) == peer if listener.address not in ANYWHERE else here


def _same_place(case: Case, cause: Hit, effect: Hit) -> bool:
    if cause.device is None and not cause.neighbours:
        return True  # it concerns the whole namespace
    if effect.device is not None:
        return effect.device == cause.device
    peer = effect.finding.subject.peer
    address = peer.address if peer is not None else None
    if not isinstance(address, str):
        return True  # the effect is not about one peer: traffic of all devices
    way = case.way_to(str(plain_address(address)))
    if cause.neighbours:
        return address in cause.neighbours or (way is not None and way[1] in cause.neighbours)
    return way is not None and way[0] == cause.device
