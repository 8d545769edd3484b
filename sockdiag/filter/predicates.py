"""Build the comparisons of --where: ss's own predicates here, any other field in ``comparisons``."""

from __future__ import annotations

from sockdiag.errors import nearest
from sockdiag.filter.bounds import Bounds, tables_mask
from sockdiag.filter.cnumbers import INT_MAX, signed
from sockdiag.filter.comparisons import compare_field
from sockdiag.filter.endpoints import HOST_FORMS, HostReader, address_leaf, autobound_leaf, port_of
from sockdiag.filter.glob import compile_glob
from sockdiag.filter.leaf import by_absence, by_rows, by_value, remembered
from sockdiag.filter.operands import HostOperand, OperandError, device_index, parse_mark, parse_prefix
from sockdiag.filter.states import STATE_WORDS, StateSets, words_of
from sockdiag.filter.tree import And, Compare, Not
from sockdiag.kernel.sock_diag import AF_UNSPEC
from sockdiag.kernel.tcp_states import (
    ALL_STATES,
    BOUND_INACTIVE,
    CLOSE,
    NEW_SYN_RECV,
    PARTOPEN,
    STATE_NAMES,
    SYN_RECV,
    state_number,
)
from sockdiag.model.fields import resolve, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.context import FilterContext
    from sockdiag.filter.leaf import Answer
    from sockdiag.filter.tree import Node
    from sockdiag.filter.where_tokens import Lexer, Token
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.socket import Socket

_MAX_PORT = 0xFFFF
_HOSTS = {"src": "local", "dst": "peer", "local": "local", "peer": "peer"}
_UNMOUNTED = "/sys/fs/cgroup"

# ss's state words in the order in which people meet them, for suggestions.
_STATES = (
    "established",
    "syn-sent",
    "syn-recv",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "close",
    "close-wait",
    "last-ack",
    "listening",
    "closing",
    "bound-inactive",
    "all",
    "connected",
    "synchronized",
    "bucket",
    "big",
    "unconnected",
)


class Predicates:
    """Make comparisons.

    Args:
        lexer: to point at what is wrong.
        context: the look-ups.
    """

    def __init__(self, lexer: Lexer, context: FilterContext) -> None:
        self._lexer = lexer
        self._context = context
        self._sets = StateSets()

    def knows(self, word: Token) -> bool:
        """Return whether a word can begin a comparison."""
        name = word.text.lower().replace("-", "_")
        return name in STATE_WORDS or name == "autobound" or resolve(name) is not None

    def compare(self, field: Token, op: str, value: Token | None) -> Node:
        """Return the comparison of a field or ss predicate.

        Args:
            field: its word.
            op: ``= != > < >= <= ~ !~``, or ``set`` for the word alone.
            value: the operand; None with ``set``.

        Raises:
            FilterError: there is no such field, or the operand does not fit it.
        """
        name = field.text.lower().replace("-", "_")
        entry = resolve(name)
        if entry is None:
            near = suggest(name)
            hint = f"did you mean '{near}'?" if near else "'sockdiag fields' lists them"
            raise self._lexer.error(field, f"there is no field '{field.text}'; {hint}")
        if value is None and name in ("src", "dst", "sport", "dport"):
            operand = HOST_FORMS if name in _HOSTS else "a port or the name of a service"
            raise self._lexer.error(field, f"'{field.text}' needs an operand: {operand}")
        special = value is not None and (value.quoted or value.text != "unknown")
        if special and op in ("!=", "!~"):
            return Not(self.compare(field, {"!=": "=", "!~": "~"}[op], value))
        if special and value is not None:
            node = self._special(field, name, entry, op, value)
            if node is not None:
                return node
        return compare_field(self._lexer, field, entry, op, value)

    def _special(self, field: Token, name: str, entry: FieldEntry, op: str, value: Token) -> Node | None:
        if name in _HOSTS:
            if op == "~":
                name, entry = f"{_HOSTS[name]}.address", resolve(f"{_HOSTS[name]}.address") or entry
                return compare_field(self._lexer, field, entry, op, value)
            self._only_equal(field, op)
            return HostReader(self._lexer, self._context, _HOSTS[name]).read(value)
        if entry.name in ("local.port", "peer.port"):
            return self._port(field, entry, op, value)
        if entry.name in ("local.address", "peer.address") and op == "=":
            prefix = parse_prefix(value.text, AF_UNSPEC) if ":" in value.text or "." in value.text else None
            if prefix is not None:
                return address_leaf(entry.name.partition(".")[0], (HostOperand.of(*prefix),))
        if entry.name == "local.interface" and op == "=":
            return self._device(entry, value)
        if entry.name == "mark" and op == "=":
            return self._mark(entry, value)
        if entry.name == "cgroup" and op == "=":
            return self._cgroup(entry, value)
        if entry.name == "state":
            return self._state(field, op, value)
        if entry.name == "user":
            return self._user(field, op, value)
        return None

    def _only_equal(self, field: Token, op: str) -> None:
        if op != "=":
            raise self._lexer.error(field, f"'{field.text}' has no order; compare it with = != ~ or !~")

    def _port(self, field: Token, entry: FieldEntry, op: str, value: Token) -> Node:
        if op == "~":
            raise self._lexer.error(
                field, f"{entry.name} is not text, so patterns do not apply; compare it with = != > < >= <="
            )
        try:
            ports = port_of(value.text, self._context)
        except OperandError as error:
            raise self._lexer.error(value, str(error)) from None
        word = "sport" if entry.name == "local.port" else "dport"
        bounds = None if entry.tables is None else Bounds(tables=tables_mask(entry.tables))
        if not ports:
            return And()
        if op == "=":
            wanted = frozenset(ports)
            hosts = tuple(HostOperand(AF_UNSPEC, port=p) for p in ports)
            return Compare(word, op, hosts, by_value(entry, wanted.__contains__), kernel=True, bounds=bounds)
        if len(ports) > 1:
            raise self._lexer.error(value, f"'{value.text}' names several ports: {', '.join(map(str, ports))}")
        # The kernel has no strict comparison, and its ports have 16 bits.
        low = op in (">", ">=")
        limit = ports[0] + (op == ">") - (op == "<")
        leaf = by_value(entry, (lambda port: port >= limit) if low else (lambda port: port <= limit))
        kernel = 0 <= limit <= _MAX_PORT
        return Compare(
            word, ">=" if low else "<=", (HostOperand(AF_UNSPEC, port=limit),), leaf, kernel=kernel, bounds=bounds
        )

    def _device(self, entry: FieldEntry, value: Token) -> Node:
        index = device_index(value.text, self._context)
        number = signed(value.text, INT_MAX)
        if not index and number is not None and number >= 0:
            index = number
            if not number:
                return Compare("dev", "=", 0, by_absence(entry), kernel=True)
        names = {value.text, f"if{index}"} if index else {value.text}
        found = self._context.interface_name(index) if index else None
        if found:
            names.add(found)
        bounds = None if entry.tables is None else Bounds(tables=tables_mask(entry.tables))
        leaf = by_value(entry, frozenset(names).__contains__)
        return Compare("dev", "=", index, leaf, kernel=index > 0, bounds=bounds)

    def _mark(self, entry: FieldEntry, value: Token) -> Node:
        try:
            mark, mask = parse_mark(value.text)
        except OperandError:
            raise self._lexer.error(
                value, f"'{value.text}' is not a mark: write MARK or MARK/MASK, such as 0x10/0xff"
            ) from None
        leaf = by_value(entry, lambda known: known & mask == mark)
        return Compare(
            "fwmark", "=", (mark, mask), leaf, kernel=True, bounds=Bounds(tables=tables_mask(entry.tables or ()))
        )

    def _cgroup(self, entry: FieldEntry, value: Token) -> Node:
        path = "/" + value.text.removeprefix(_UNMOUNTED).strip("/")
        bounds = Bounds(tables=tables_mask(entry.tables or ()))
        try:
            number = self._context.cgroup_id(value.text)
        except LookupError:
            return Compare(entry.name, "=", path, by_value(entry, path.__eq__), bounds=bounds)
        by_id = resolve("cgroup_id")
        assert by_id is not None
        return Compare("cgroup", "=", number, by_value(by_id, number.__eq__), kernel=number > 0, bounds=bounds)

    def _state(self, field: Token, op: str, value: Token) -> Node:
        if op == "~":
            accepts = compile_glob(value.pattern, fold=True)
            mask = 0
            for number, name in enumerate(STATE_NAMES):
                if number and any(accepts(word) for word in (name, name.replace("_", "-"), *words_of(number))):
                    mask |= 1 << number
            return self.states(mask)
        if op != "=":
            raise self._lexer.error(field, "a state has no order; compare it with = != ~ or !~")
        return self.states(self._mask(value))

    def _mask(self, value: Token) -> int:
        mask = self._sets.mask(value.text)
        if mask is not None:
            return mask
        number = state_number(value.text)
        if number is None or not number:
            near = nearest(value.text, (*_STATES, "listen", "estab", "unconn"))
            hint = f"; did you mean '{near}'?" if near else f": {' '.join(_STATES)}"
            raise self._lexer.error(value, f"there is no state '{value.text}'{hint}")
        return 1 << number

    def add_states(self, mask: int | None, value: Token, *, exclude: bool) -> int:
        """Add a state word to a set of states, or subtract it; the first one to subtract leaves all others."""
        found = self._mask(value)
        if exclude:
            return (self._sets.all if mask is None else mask) & ~found
        return (mask or 0) | found

    def states(self, mask: int) -> Node:
        """Return the comparison with a set of states."""
        # Bound and otherwise idle TCP sockets are in the state CLOSE; only a request separates them.
        idle = bool(mask >> BOUND_INACTIVE & 1) and not mask >> CLOSE & 1
        if mask >> SYN_RECV & 1:
            mask |= 1 << NEW_SYN_RECV
        names = frozenset(name for number, name in enumerate(STATE_NAMES) if mask >> number & 1)
        if mask >> BOUND_INACTIVE & 1 and mask & mask - 1:
            # A set of many states: DCCP has one that no word names.
            names |= {PARTOPEN}
        entry = resolve("state")
        assert entry is not None
        if idle:

            def judge(socket: Socket) -> Answer:
                if socket.state is None:
                    return None
                return socket.state in names or (socket.state == "CLOSE" and socket.netid in ("tcp", "mptcp"))

            leaf = by_rows(judge)
        else:
            leaf = by_value(entry, names.__contains__)
        asked = mask | 1
        if mask >> CLOSE & 1:
            asked |= 1 << BOUND_INACTIVE
        others = ALL_STATES & ~asked | 1
        return Compare("state", "=", mask, leaf, bounds=Bounds(states=asked), bounds_not=Bounds(states=others))

    def _user(self, field: Token, op: str, value: Token) -> Node:
        uid = resolve("uid")
        assert uid is not None
        name = self._context.user_name
        if op == "~":
            accepts = compile_glob(value.pattern)
            return Compare("user", op, value.text, by_value(uid, remembered(lambda known: accepts(name(known)))))
        self._only_equal(field, op)
        wanted = value.text
        leaf = by_value(uid, remembered(lambda known: wanted in (name(known), str(known))))
        return Compare("user", op, wanted, leaf)

    def autobound(self) -> Node:
        """Return the comparison of the local port with the range that the kernel chooses from, or of a unix name."""
        return Compare("autobound", "=", None, autobound_leaf(self._context))
