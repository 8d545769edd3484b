"""Match the model's sockets with HOST and PORT operands of --where.

An address matches as in the kernel: families are distinguished, except that an IPv4 one also matches IPv6 sockets with a
mapped address. IPv6 addresses need no brackets where they are unambiguous without.
"""

from __future__ import annotations

from _socket import inet_pton  # start-up: docs/rejected.md

from sockdiag.filter.bounds import IPV4, IPV6, Bounds, tables_mask
from sockdiag.filter.cnumbers import INT_MAX, UINT_MAX, signed, unsigned
from sockdiag.filter.comparisons import shown
from sockdiag.filter.glob import compile_glob
from sockdiag.filter.leaf import Leaf, by_rows, by_value, remembered
from sockdiag.filter.operands import ANY_PORT, HostOperand, HostParser, OperandError, split_family
from sockdiag.filter.ss_match import Matcher, same_bits
from sockdiag.filter.ss_view import SsView
from sockdiag.filter.tree import And, Compare
from sockdiag.kernel.families import FAMILY_NAMES, IP_TABLES
from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC, AF_VSOCK, V4_MAPPED
from sockdiag.model.fields import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.context import FilterContext
    from sockdiag.filter.leaf import Answer
    from sockdiag.filter.tree import Node
    from sockdiag.filter.where_tokens import Lexer, Token
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.socket import Socket

_IP = frozenset(IP_TABLES)
_IP_MASK = tables_mask(_IP)
HOST_FORMS = "ADDR[/LEN][:PORT], [IPV6[/LEN]]:PORT, *:PORT, a host name, or unix:PATTERN"


def port_of(text: str, context: FilterContext) -> tuple[int, ...]:
    """Return the ports that a PORT operand means, more than one where a service has several; none for any port.

    Raises:
        OperandError: it is no port, with a message.
    """
    bare = text.removeprefix(":")
    if bare in ("", "*"):
        return ()
    number = signed(bare, INT_MAX)
    if number is not None:
        return (number,)
    found = [context.service(bare, protocol) for protocol in ("tcp", "udp")]
    ports = tuple(dict.fromkeys(port for port in found if port is not None))
    if not ports:
        raise OperandError(f"'{bare}' is neither a port nor a known service")
    return ports


class HostReader:
    """Read a HOST operand.

    Args:
        lexer: to point at what is wrong.
        context: the look-ups.
        end: ``local`` or ``peer``.
    """

    def __init__(self, lexer: Lexer, context: FilterContext, end: str) -> None:
        self._lexer = lexer
        self._context = context
        self._end = end
        self._parser = HostParser(context, ("tcp", "udp"), wide=False)

    def read(self, value: Token) -> Node:
        """Return the comparison with an operand.

        Raises:
            FilterError: it is no HOST.
        """
        text, family = split_family(value.text, AF_UNSPEC)
        if family == AF_UNIX or (family == AF_UNSPEC and text[:1] in ("/", "@")):
            return self._unix(split_family(value.pattern, AF_UNSPEC)[0])
        if family in (AF_PACKET, AF_NETLINK):
            return self._number(text, family, value)
        if family == AF_VSOCK:
            return self._vsock(text, value)
        hosts = self._inet(text, family, value)
        parts: list[Node] = []
        if hosts[0].port != ANY_PORT:
            parts.append(_port_leaf(self._end, hosts[0].port))
        if hosts[0].length or hosts[0].family != AF_UNSPEC:
            parts.append(address_leaf(self._end, hosts))
        if family != AF_UNSPEC:
            parts.append(_family_leaf(family))
        word = "src" if self._end == "local" else "dst"
        if len(parts) == 1:
            return parts[0]
        if family == AF_UNSPEC and parts:
            joined = And(*parts)
            return Compare(
                word, "=", hosts, joined, kernel=True, bounds=Bounds(tables=_IP_MASK, families=_families(hosts))
            )
        return And(*parts)

    def _inet(self, text: str, family: int, value: Token) -> tuple[HostOperand, ...]:
        problem = ""
        for form in (text, *_bracketed(text)):
            try:
                return self._parser.parse(form, family, is_port=False)
            except OperandError as error:
                problem = problem or str(error)
        if "look like a port" in problem or "ambiguous" in problem:
            raise self._lexer.error(value, problem.removeprefix("Error: ").rstrip("."))
        raise self._lexer.error(value, f"'{value.text}' is not a host: {HOST_FORMS}")

    def _unix(self, pattern: str) -> Node:
        accepts = remembered(compile_glob(pattern, fold=True))
        local = self._end == "local"

        def judge(socket: Socket) -> Answer:
            if socket.netid != "unix":
                return False
            name = (socket.local if local else socket.peer).address
            if name is None and not local and socket.unix is not None and socket.unix.peer_inode is not None:
                return None
            return accepts(shown(name or b""))

        return Compare(
            f"{self._end}.address", "~", pattern, by_rows(judge), bounds=Bounds(tables=tables_mask(("unix",)))
        )

    def _number(self, text: str, family: int, value: Token) -> Node:
        if family == AF_NETLINK:
            # The kernel's word (ROUTE) will do as well as ss's (rtnl).
            name, colon, portid = text.partition(":")
            number = next((n for n, known in NETLINK_PROTOCOLS.items() if known == name.upper()), None)
            text = text if number is None else f"{number}{colon}{portid}"
        try:
            hosts = self._parser.parse(text, family, is_port=False)
        except OperandError:
            forms = "link:ETHERTYPE[:DEV]" if family == AF_PACKET else "netlink:PROTOCOL[:PORTID]"
            raise self._lexer.error(value, f"'{value.text}' is not {forms}") from None
        table = "packet" if family == AF_PACKET else "netlink"
        matches = Matcher(self._context).own(Compare("src" if self._end == "local" else "dst", "=", hosts))

        def judge(socket: Socket) -> Answer:
            return socket.netid == table and matches(SsView(socket, self._context))

        return Compare(self._end, "=", hosts, by_rows(judge), bounds=Bounds(tables=tables_mask((table,))))

    def _vsock(self, text: str, value: Token) -> Node:
        cid, _, port = text.partition(":")
        wanted = [None if part in ("", "*") else unsigned(part, UINT_MAX) for part in (cid, port)]
        if any(number is None and part not in ("", "*") for number, part in zip(wanted, (cid, port), strict=True)):
            raise self._lexer.error(value, f"'{value.text}' is not vsock:CID[:PORT]")
        address = None if wanted[0] is None else str(wanted[0])
        local = self._end == "local"

        def judge(socket: Socket) -> Answer:
            end = socket.local if local else socket.peer
            return (
                socket.netid == "vsock"
                and (address is None or end.address == address)
                and (wanted[1] is None or end.port == wanted[1])
            )

        return Compare(self._end, "=", text, by_rows(judge), bounds=Bounds(tables=tables_mask(("vsock",))))


def _bracketed(text: str) -> list[str]:
    # [::1]/128:80 is [::1/128]:80, and ::1 is [::1].
    if text[:1] == "[" and "]/" in text:
        address, _, rest = text[1:].partition("]/")
        length, colon, port = rest.partition(":")
        return [f"[{address}/{length}]{colon}{port}"]
    return [f"[{text}]"] if text.count(":") > 1 and text[:1] != "[" else []


def _families(hosts: tuple[HostOperand, ...]) -> int:
    # An IPv4 address can be that of an IPv6 socket.
    return IPV6 if all(host.family == AF_INET6 for host in hosts) else IPV4 | IPV6


def _end_entry(end: str, member: str) -> FieldEntry:
    entry = resolve(f"{end}.{member}")
    assert entry is not None
    return entry


def _port_leaf(end: str, port: int) -> Compare:
    word = "sport" if end == "local" else "dport"
    entry = _end_entry(end, "port")
    bounds = Bounds(tables=tables_mask(entry.tables or ()))
    return Compare(
        word, "=", (HostOperand(AF_UNSPEC, port=port),), by_value(entry, port.__eq__), kernel=True, bounds=bounds
    )


def address_leaf(end: str, hosts: tuple[HostOperand, ...]) -> Compare:
    """Return the comparison of an end's address with any of several prefixes; their ports do not count."""
    bare = tuple(HostOperand(host.family, host.address, host.length) for host in hosts)
    leaf = by_value(_end_entry(end, "address"), remembered(lambda known: _has(bare, known)), _IP)
    bounds = Bounds(tables=_IP_MASK, families=_families(bare))
    return Compare("src" if end == "local" else "dst", "=", bare, leaf, kernel=True, bounds=bounds)


def _has(hosts: tuple[HostOperand, ...], address: str | bytes) -> bool:
    if isinstance(address, bytes):
        return False
    family = AF_INET6 if ":" in address else AF_INET
    try:
        there = inet_pton(family, address.partition("%")[0])
    except (OSError, ValueError):
        return False
    for host in hosts:
        if host.family == family:
            if same_bits(host, there):
                return True
        elif host.family == AF_INET and there[:12] == V4_MAPPED and same_bits(host, there[12:]):
            return True
    return False


def _family_leaf(family: int) -> Compare:
    name = FAMILY_NAMES[family]
    bounds = Bounds(tables=_IP_MASK, families=IPV4 if family == AF_INET else IPV6)
    entry = resolve("family")
    assert entry is not None
    return Compare("family", "=", name, by_value(entry, name.__eq__), bounds=bounds)


def autobound_leaf(context: FilterContext) -> Leaf:
    """Return the leaf of ``autobound``: a port in the local range, a unix name that the kernel made up."""
    matches = Matcher(context).own(Compare("autobound", "=", None))
    limits: list[int] = []

    def judge(socket: Socket) -> Answer:
        if not socket.is_inet:
            return matches(SsView(socket, context))
        port = socket.local.port
        if port is None:
            return None
        if not limits:
            limits.extend(context.port_range())
        return limits[0] <= port <= limits[1]

    return by_rows(judge)
