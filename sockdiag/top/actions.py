"""What keys ask of the system; all of it is done in the thread that takes the looks."""

from __future__ import annotations

import time

from sockdiag.model.query import PROC
from sockdiag.top.detail import Detail, socket_title
from sockdiag.top.locks import guard_of, unblocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    from sockdiag.model.finding import Finding
    from sockdiag.model.socket import Socket
    from sockdiag.survey.reader import SystemReader
    from sockdiag.survey.survey import Survey
    from sockdiag.top.look import Look
    from sockdiag.top.session import LookThread
    from sockdiag.top.shown import Shown
    from sockdiag.top.tabs import TabFacts

# Words that a filter may begin with, besides the fields.
_WORDS = ("and", "or", "not", "state", "sport", "dport", "src", "dst")
_OFFERED = 12


class Actions:
    """The actions.

    Args:
        survey: the system.
        facts: what the tabs need; the thread fills them.
    """

    def __init__(self, survey: Survey, facts: TabFacts) -> None:
        self.survey = survey
        self.facts = facts
        self.session: LookThread | None = None
        self._tab = ""
        # When owners may be searched for again.
        self._search_at = 0.0

    def _ask(self, job: Callable[[], Any]) -> None:
        if self.session is None:
            return

        def checked() -> Any:
            unblocked(self.survey)
            return job()

        self.session.ask(checked)

    # Looks

    def prepare(self, look: Look) -> None:
        """Add to a look what its tab shows besides; in the thread."""
        if self._tab == "processes":
            self.facts.groups = self._groups(look)

    def _groups(self, look: Look) -> Sequence[Any]:
        from sockdiag.analysis.socket_groups import sum_queues

        grouping = self.survey.grouping((self.facts.by,))
        found = sum_queues(look.sockets.batches(), grouping)
        return sorted(found, key=lambda group: (-group.count, str(group.key)))

    def tab_shown(self, tab: str) -> None:
        """Read what a tab needs, as soon as it is shown."""
        self._tab = tab
        if tab != "processes":
            return

        def job() -> Callable[[Shown], None]:
            def deliver(screen: Shown) -> None:
                if screen.look is not None:
                    look = screen.look
                    self._ask(lambda: self._deliver_groups(look))

            return deliver

        self._ask(job)

    def _deliver_groups(self, look: Look) -> Callable[[Shown], None]:
        groups = self._groups(look)

        def deliver(screen: Shown) -> None:
            self.facts.groups = groups
            screen.rebuild()

        return deliver

    def freeze(self, frozen: bool) -> None:
        """Take no looks, or go on."""
        if self.session is not None:
            self.session.frozen = frozen
            if not frozen:
                self.session.refresh()

    def play(self, change: Callable[[], object], *, look: bool) -> None:
        """Change the place in the recording, or how it is played, and take a look there, or go on from what is shown."""
        if self.session is None:
            return

        def job() -> None:
            change()

        self._ask(job)
        if look:
            self.session.refresh()

    def refresh(self) -> None:
        """Take a look now."""
        if self.session is not None:
            self.session.refresh()

    def look_up(self, *, now: bool = False) -> None:
        """Find the processes of the sockets that were drawn without.

        Every descriptor of every process has to be looked at, and some sockets close before that, those of this program among
        them. So it takes a tenth of the time at most; *now* is for what the user waits for.
        """
        unread, self.facts.unread = self.facts.unread, {}
        if unread:
            self._read_infos(unread)
        if not self.facts.lacking or not (now or time.monotonic() >= self._search_at):
            return
        wanted, self.facts.lacking = self.facts.lacking, set()
        for inode in wanted:
            self.facts.owners.setdefault(inode, None)

        def job() -> Callable[[Shown], None]:
            began = time.monotonic()
            owners, gaps = self.survey.host.owners(wanted)
            ended = time.monotonic()
            self._search_at = ended + _SEARCHING * (ended - began)
            # Where all processes could be seen, nobody holds it; otherwise that is unknown.
            nobody: tuple[()] | None = None if gaps else ()
            found = {inode: owners.get(inode) or nobody for inode in wanted}
            return lambda screen: self._learn(screen, found)

        self._ask(job)

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do something when all that was asked for before has been answered."""

        def job() -> Callable[[Shown], None]:
            return lambda _screen: action()

        self._ask(job)

    def _read_infos(self, sockets: dict[Hashable, Socket]) -> None:
        """Read the tcp_info of the sockets that were drawn without, one by one, on this host in this network namespace."""
        for key in sockets:
            self.facts.infos.setdefault(key, None)
        system = self.survey.system
        if not system.files.live or self.survey.namespaces is not None or self.survey.options.source == PROC:
            return  # what there is came with the look

        def job() -> Callable[[Shown], None]:
            from sockdiag.sources.netlink.tcp_info_of import read_tcp_infos

            infos = read_tcp_infos(system, guard_of(system), sockets.values())
            found = {key: infos[socket.cookie] for key, socket in sockets.items() if socket.cookie in infos}
            locked = guard_of(system).locked

            def deliver(screen: Shown) -> None:
                self.facts.infos.update(found)
                self.facts.locked = locked
                screen.redraw()

            return deliver

        self._ask(job)

    def need(self, columns: frozenset[str], sorting: frozenset[str]) -> None:
        """Read what columns need, and of all sockets what they are sorted by; take a look if that was not read so far."""

        def job() -> None:
            if self.session is None:
                return
            watch = self.session.watch
            had = watch.needs | watch.sorting
            more = not (columns | sorting <= had and sorting <= watch.sorting)
            watch.needs, watch.sorting = columns, sorting
            if sorting or columns:
                guard_of(self.survey.system)
            if more:
                self.session.refresh()

        self._ask(job)

    def _learn(self, screen: Shown, found: dict[int, Any]) -> None:
        self.facts.owners.update(found)
        if len(self.facts.owners) > _REMEMBERED:
            self.facts.owners = found
        screen.redraw()

    # The filter

    def filter(self, text: str) -> None:
        """Look at the sockets that match a filter alone, from the next look on.

        Raises:
            FilterError: the filter does not parse.
        """
        where = self.survey.compiled(text) if text.strip() else None

        def job() -> None:
            if self.session is not None:
                self.session.watch.narrow(where)
                self.session.refresh()

        self._ask(job)

    def completions(self, text: str) -> list[str]:
        """Return the words that the last word of a filter may become."""
        from sockdiag.model.fields import catalogue

        word = text.rpartition(" ")[2].lower()
        if not word:
            return []
        names = dict.fromkeys((*_WORDS, *(entry.name for entry in catalogue())))
        return [name for name in names if name.startswith(word)][:_OFFERED]

    # Details

    def finding(self, finding: Finding, facts: TabFacts) -> Detail:
        """Open a finding."""
        from sockdiag.render.document import Style
        from sockdiag.render.findings_text import finding_block
        from sockdiag.render.wrap import fitted

        def write(width: int) -> list[str]:
            style = Style(width, False)
            return [part for text in finding_block(finding, style, facts.whereabouts) for part in fitted(text, width)]

        return Detail(finding.code, write)

    def socket(self, identity: Hashable, socket: Socket) -> Detail:
        """Open a socket; its layers follow as soon as they have been read."""
        return Detail(socket_title(socket, self.facts), lambda _width: ["reading …"], identity, socket)

    def renew(self, detail: Detail) -> None:
        """Read the layers of the socket that is open anew."""
        socket = detail.socket
        if socket is None:
            return

        def job() -> Callable[[Shown], None]:
            write, far = inspected(self.survey, socket)

            def deliver(screen: Shown) -> None:
                if screen.detail is detail:
                    detail.update(write, far)

            return deliver

        self._ask(job)

    def other_end(self, detail: Detail) -> bool:
        """Open the other end of the socket that is open; False if none is known."""
        from sockdiag.model.batch import all_sockets

        if not detail.far or detail.socket is None:
            return False
        inode, cookie, netid = detail.far[0].inode, detail.far[0].cookie, detail.far[0].netid

        def job() -> Callable[[Shown], None]:
            query = self.survey.query()._replace(tables=(netid,))
            found = next(
                (
                    one
                    for one in all_sockets(self.survey.batches(query))
                    if (cookie and one.cookie == cookie) or (inode and one.inode == inode)
                ),
                None,
            )

            def deliver(screen: Shown) -> None:
                if found is None:
                    screen.message = "its other end is in another network namespace, or has closed"
                else:
                    screen.open(found)

            return deliver

        self._ask(job)
        return True

    # Closing

    def may_close(self, socket: Socket) -> str:
        """Return why a socket cannot be closed; "" if it may be tried."""
        from sockdiag.sources.netlink.inet_destroy import TABLES

        if not self.survey.system.files.live:
            return "a recording cannot be changed"
        if self.survey.namespaces is not None:
            return "sockets of other network namespaces are closed with sockdiag kill --netns"
        if socket.netid not in TABLES:
            return f"the kernel closes sockets of {', '.join(TABLES)} only"
        if not socket.cookie:
            return "without netlink it has no cookie, and another socket could be closed instead"
        return ""

    def close(self, socket: Socket) -> None:
        """Close exactly this socket, and report what became of it."""

        def job() -> Callable[[Shown], None]:
            said = closed(self.survey, socket)

            def deliver(screen: Shown) -> None:
                screen.message = said
                self.refresh()

            return deliver

        self._ask(job)


# So many times as long as a search for owners took, none follows.
_SEARCHING = 10
# Owners that are remembered before they are looked up again.
_REMEMBERED = 2_000


def inspected(survey: SystemReader, socket: Socket) -> tuple[Callable[[int], list[str]], Sequence[Any]]:
    """Read a socket through all its layers; return what writes the text, and its other ends."""
    from sockdiag.render.document import Style
    from sockdiag.render.inspect_answer import explain
    from sockdiag.render.inspect_facts import facts
    from sockdiag.render.inspect_text import inspect_lines
    from sockdiag.render.wrap import fitted
    from sockdiag.survey.inspect import inspect_socket
    from sockdiag.survey.socket_readings import SocketGone

    try:
        # How packets leave is left out: it is read by a library that takes a moment, and this is read with each look.
        seen = inspect_socket(survey.apart(), socket, egress=False)
    except SocketGone:
        return (lambda _width: ["the socket has closed"]), ()

    rows = facts(seen.layers, seen.seen.options, seen.levels, seen.paths)
    answer = explain(
        seen.layers,
        seen.findings,
        seen.far,
        seen.far_gaps,
        seen.egress,
        seen.states,
        judged=seen.judged,
        placed=False,
    )

    def write(width: int) -> list[str]:
        style = Style(width, False)
        # Its first line is the title of what is open.
        _title, *lines = inspect_lines(seen.layers, rows, seen.paths, style, answer=answer, findings=seen.findings)
        return [part for text in lines for part in fitted(text, width)]

    return write, seen.far


def closed(survey: SystemReader, socket: Socket) -> str:
    """Close a socket by its cookie; return what became of it, and write a line to the system log."""
    from sockdiag.errors import SockdiagError
    from sockdiag.model.kill import DONE
    from sockdiag.render.cells import endpoint
    from sockdiag.render.escape import printable
    from sockdiag.sources.process.own_session import own_session
    from sockdiag.sources.system.audit import write_audit_line
    from sockdiag.survey.kill import Candidate, check_permission, close_all

    name = f"{socket.netid} {endpoint(socket.local)} {endpoint(socket.peer)}"
    carried = own_session(survey.system.files)
    refused = carried.carries(socket) if carried else None
    if refused:
        return f"{name} stays open: {refused}"
    one = Candidate(socket, None)
    try:
        check_permission(survey, [socket.netid])
        close_all(survey, [one])
    except SockdiagError as error:
        return str(error)
    said = f"{one.outcome}: {name}" + (f" ({one.reason})" if one.reason else "")
    if one.outcome in DONE:
        write_audit_line(survey.system.files, printable(f"closed {name} {socket.state or '-'} by top"))
    return said
