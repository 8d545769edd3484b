"""What is said of an expression that does not parse, and where it points."""

from __future__ import annotations

import pytest

from sockdiag.errors import FilterError, UsageError
from sockdiag.filter.context import FilterContext
from sockdiag.filter.where import compile_where

CONTEXT = FilterContext(
    service=lambda name, protocol: {("both", "tcp"): 7, ("both", "udp"): 9, ("ssh", "tcp"): 22}.get((name, protocol)),
    hosts=lambda _name, _family: [],
    interface={"lo": 1}.get,
    interface_name={1: "lo"}.get,
)

HOST = "ADDR[/LEN][:PORT], [IPV6[/LEN]]:PORT, *:PORT, a host name, or unix:PATTERN"
STATES = "established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait close close-wait last-ack listening closing bound-inactive"

# Message; the expression; the caret below what is meant.
CASES = [
    ("there is no field 'recvq'; did you mean 'recv_q'?", "recvq > 0", "^^^^^"),
    (
        "there is no field 'rtt_us'; did you mean 'tcp_info.rtt_us'?",
        "state established and rtt_us > 5",
        "                      ^^^^^^",
    ),
    ("there is no field 'xyzzy'; 'sockdiag fields' lists them", "not (xyzzy)", "     ^^^^^"),
    ("there is no field 'tcp_info.cwnd'; did you mean 'tcp_info.snd_cwnd'?", "tcp_info.cwnd < 10", "^^^^^^^^^^^^^"),
    ("there is no state 'listning'; did you mean 'listening'?", "state = listning", "        ^^^^^^^^"),
    ("there is no state 'closewait'; did you mean 'close-wait'?", "state closewait", "      ^^^^^^^^^"),
    ("a state has no order; compare it with = != ~ or !~", "state > listening", "^^^^^"),
    ("missing state after 'exclude', such as listening or close-wait", "exclude", "       ^"),
    ("missing value after '>'", "recv_q >", "        ^"),
    ("missing value after '='", "(sport =) and uid", "        ^"),
    ("missing value after '>'", "recv_q > and uid", "         ^^^"),
    ("missing comparison", "", None),
    ("missing comparison", "recv_q > 0 and", "              ^"),
    ("missing comparison", "not", "   ^"),
    ("missing comparison before ')'", "()", " ^"),
    ("missing comparison before 'or'", "or recv_q", "^^"),
    ("missing comparison before '>'", "recv_q and > 5", "           ^"),
    ("missing comparison before 'nginx'", "process = nginx 'nginx' and uid", "                ^^^^^^^"),
    ("missing operator before '5'", "recv_q 5", "       ^"),
    ("missing operator before 'nginx'", "process nginx", "        ^^^^^"),
    ("')' is missing", "((recv_q > 0)", "             ^"),
    ("')' without '('", "recv_q > 0)", "          ^"),
    ('unclosed quote: "', 'process = "nginx', "          ^^^^^^"),
    ("'sport' needs an operand: a port or the name of a service", "sport", "^^^^^"),
    (
        "'src' needs an operand: ADDR[/LEN][:PORT], [IPV6[/LEN]]:PORT, *:PORT, a host name, or unix:PATTERN",
        "recv_q and src",
        "           ^^^",
    ),
    ("'src' has no order; compare it with = != ~ or !~", "src > 10.0.0.1", "^^^"),
    (f"'foo..bar' is not a host: {HOST}", "src foo..bar", "    ^^^^^^^^"),
    (f"'10.0.0.1/33' is not a host: {HOST}", "dst = 10.0.0.1/33", "      ^^^^^^^^^^^"),
    ('"nosuch" does not look like a port', "src 10.0.0.1:nosuch", "    ^^^^^^^^^^^^^^^"),
    ("'zz' is not link:ETHERTYPE[:DEV]".replace("zz", "link:zz"), "src link:zz", "    ^^^^^^^"),
    ("'netlink:zz' is not netlink:PROTOCOL[:PORTID]", "src netlink:zz", "    ^^^^^^^^^^"),
    ("'vsock:a:b' is not vsock:CID[:PORT]", "src vsock:a:b", "    ^^^^^^^^^"),
    ("'nosuch' is neither a port nor a known service", "sport = nosuch", "        ^^^^^^"),
    ("'both' names several ports: 7, 9", "sport > both", "        ^^^^"),
    (
        "local.port is not text, so patterns do not apply; compare it with = != > < >= <=",
        "local.port ~ 80*",
        "^^^^^^^^^^",
    ),
    ("'x' is not a mark: write MARK or MARK/MASK, such as 0x10/0xff", "fwmark x", "       ^"),
    ("processes.pid needs a number: 'nginx' is not a number", "pid = nginx", "      ^^^^^"),
    (
        "recv_q needs a number: 'ms' is not a unit of memory: B KiB MiB GiB, kB MB GB (K is KiB)",
        "recv_q > 5ms",
        "         ^^^",
    ),
    ("fill needs a number: 'MB' is not a unit for a share: write 80% or 0.8", "fill > 5MB", "       ^^^"),
    ("processes.comm is text; compare it with = != ~ or !~", "comm > 5", "^^^^"),
    ("recv_q is not text, so patterns do not apply; compare it with = != > < >= <=", "recv_q ~ 5*", "^^^^^^"),
    (
        "timer is a group of fields; compare one of them: timer.name, timer.expires_ms, timer.retransmits",
        "timer = persist",
        "^^^^^",
    ),
    (
        "skmem is a group of fields; compare one of them: skmem.rmem_alloc, skmem.rcvbuf, skmem.wmem_alloc, skmem.sndbuf, …",
        "skmem > 5",
        "^^^^^",
    ),
    ("netid is never 'tpc'; did you mean 'tcp'?", "netid = tpc", "        ^^^"),
    (
        "timer.name is never 'foo': it is one of none, retransmit, keepalive, timewait, persist, delack",
        "timer.name = foo",
        "             ^^^",
    ),
    ("shutdown is never 'both': it is one of RCV_SHUTDOWN, SEND_SHUTDOWN", "shutdown = both", "           ^^^^"),
    ("cookie is a hexadecimal number, not 'zz'", "cookie = zz", "         ^^"),
    ("netlink.cb_running is yes or no, not 'maybe'", "netlink.cb_running = maybe", "                     ^^^^^"),
    ("netlink.cb_running is yes or no; compare it with = or !=", "netlink.cb_running > no", "^^^^^^^^^^^^^^^^^^"),
    ("unknown_attributes cannot be compared", "unknown_attributes = 5", "^^^^^^^^^^^^^^^^^^"),
]


@pytest.mark.parametrize(("message", "text", "caret"), [case for case in CASES if case[2] is not None])
def test_errors(message: str, text: str, caret: str) -> None:
    """The message, the expression, and carets under what is wrong."""
    with pytest.raises(FilterError) as caught:
        compile_where(text, CONTEXT)
    error = caught.value
    assert str(error) == f"{message}\n  {text}\n  {caret}"
    assert isinstance(error, UsageError)
    assert (error.message, error.expression) == (message, text)
    assert (error.position, error.length) == (len(caret) - len(caret.lstrip()), len(caret.lstrip()))


@pytest.mark.parametrize(
    ("text", "caret", "readings"),
    [
        (
            "recv_q > 0 or send_q > 0 and uid = 0",
            "                         ^^^",
            ["recv_q > 0 or (send_q > 0 and uid = 0)", "(recv_q > 0 or send_q > 0) and uid = 0"],
        ),
        (
            "recv_q > 0 and send_q > 0 or uid = 0",
            "                          ^^",
            ["(recv_q > 0 and send_q > 0) or uid = 0", "recv_q > 0 and (send_q > 0 or uid = 0)"],
        ),
        (
            "sport = 22 or sport = 80 src 127.0.0.1",
            "                         ^^^",
            ["sport = 22 or (sport = 80 and src 127.0.0.1)", "(sport = 22 or sport = 80) and src 127.0.0.1"],
        ),
        (
            "recv_q || send_q && uid || fill",
            "                 ^^",
            ["recv_q or (send_q and uid) or fill", "((recv_q or send_q) and uid) or fill"],
        ),
        (
            "uid and (recv_q or not send_q and (fill))",
            "                              ^^^",
            ["recv_q or (not send_q and (fill))", "(recv_q or not send_q) and (fill)"],
        ),
        (
            "state listening or state established exclude listening and uid",
            "                                                       ^^^",
            [
                "state listening or (state established exclude listening and uid)",
                "(state listening or state established exclude listening) and uid",
            ],
        ),
    ],
)
def test_and_mixed_with_or(text: str, caret: str, readings: list[str]) -> None:
    """Both readings are written out; where ss reads from the left as most languages do, the other one is shown."""
    with pytest.raises(FilterError) as caught:
        compile_where(text, CONTEXT)
    wanted = "'and' mixed with 'or' needs parentheses; write\n    " + "\n  or\n    ".join(readings)
    assert str(caught.value) == f"{wanted}\n  {text}\n  {caret}"
    for reading in readings:
        compile_where(reading, CONTEXT)


def test_all_states_are_suggested_where_none_is_near() -> None:
    """Without a near word, all are told."""
    with pytest.raises(FilterError) as caught:
        compile_where("state xyzzy", CONTEXT)
    assert caught.value.message.startswith(f"there is no state 'xyzzy': {STATES}")


def test_tabs_do_not_displace_the_caret() -> None:
    """White space of any kind is shown as one blank."""
    with pytest.raises(FilterError) as caught:
        compile_where("uid\t=\n0\tand recvq", CONTEXT)
    assert str(caught.value).splitlines()[1:] == ["  uid = 0 and recvq", "              ^^^^^"]
