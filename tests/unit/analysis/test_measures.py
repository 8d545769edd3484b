"""Named measures: addressed as documented, unknown where they cannot be known, equal to what the look holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.analysis.measures import MEASURES, Facts, find, missing, snake, value, values
from sockdiag.errors import UsageError
from sockdiag.model.address import Endpoint
from sockdiag.model.conntrack import Conntrack, ConntrackCpu
from sockdiag.model.qdisc import TC_H_ROOT, Qdisc
from tests.unit.rules.samples import listener, sample, sock

if TYPE_CHECKING:
    from sockdiag.model.sample import Sample

ANY4, ANY6 = Endpoint("0.0.0.0", 443), Endpoint("::", 443)
NOWHERE = Endpoint("0.0.0.0", 0)


def ask(text: str, at: Sample) -> int | float | None:
    measure, key = find(text)
    return value(measure, key, Facts(at))


def samples(name: str, at: Sample) -> dict[tuple[str, ...], int | float | None]:
    return dict(values(MEASURES[name], "", Facts(at)))


@pytest.fixture
def busy() -> Sample:
    """Listeners, connections and UDP sockets."""
    return sample(
        [
            listener(3, 9, drops=2, cookie=1, local=ANY4, inode=1),
            listener(1, 4, drops=5, cookie=2, local=ANY4, inode=2),
            listener(0, 128, cookie=3, local=ANY6),
            listener(0, 128, cookie=4, local=Endpoint("127.0.0.1", 8443)),
            sock("tcp", 5, "CLOSE_WAIT"),
            sock("tcp", 6, "CLOSE_WAIT"),
            sock("tcp", 7, "ESTABLISHED", rmem_alloc=1000, wmem_alloc=10, wmem_queued=300, fwd_alloc=50),
            sock("udp", 8, rmem_alloc=4096, rcvbuf=8192, drops=7, local=Endpoint("0.0.0.0", 53), peer=NOWHERE),
            sock(
                "udp",
                9,
                rmem_alloc=100,
                rcvbuf=1000,
                drops=1,
                local=Endpoint("10.0.0.1", 40000),
                peer=Endpoint("9.9.9.9", 53),
            ),
            sock("udp", 10, rmem_alloc=0, rcvbuf=1000, local=Endpoint("10.0.0.1", 40001), peer=Endpoint("9.9.9.9", 53)),
        ]
    )


def test_states_count_and_are_zero_where_a_table_was_read(busy: Sample) -> None:
    """A state that nothing is in is 0 if its table was read."""
    assert ask("states[CLOSE_WAIT]", busy) == 2
    assert ask("states[close-wait]", busy) == 2
    assert ask("states[tcp,LISTEN]", busy) == 4
    assert ask("states[udp]", busy) == 3
    assert ask("states", busy) == 10
    assert ask("states[SYN_RECV]", busy) == 0
    assert samples("states", busy)["tcp", "AF_INET6", "CLOSE_WAIT"] == 0


def test_states_are_unknown_where_the_table_could_not_be_read() -> None:
    """No socket of a table that could not be read is not none."""
    blind = sample([sock("udp")], absent={"tcp": "refused"})
    assert ask("states[CLOSE_WAIT]", blind) is None
    assert ask("states[udp,CLOSE]", blind) == 1
    assert ask("listener[:443].accept_queue", blind) is None
    assert "tcp: refused" in missing(find("states")[0], Facts(blind))


def test_of_a_table_that_was_read_in_part_nothing_is_none() -> None:
    """What was seen is the least that there is; what was not seen is unknown."""
    half = sample([sock("tcp", 1, "CLOSE_WAIT")], absent={"some tcp": "damaged"})
    assert ask("states[tcp,AF_INET,CLOSE_WAIT]", half) == 1
    assert ask("states[SYN_RECV]", half) is None
    assert "tcp: damaged" in missing(find("states")[0], Facts(half))


def test_why_a_counter_is_unknown() -> None:
    """The file that it is in could not be read."""
    at = sample(absent={"/proc/net/netstat": "Permission denied", "/proc/net/sockstat": "gone"}, sockstat=None)
    assert missing(find("TcpExt.NotThere")[0], Facts(at)) == "counters: Permission denied"
    assert missing(find("Udp.InErrors")[0], Facts(at)) == ""
    assert missing(find("sockets.used")[0], Facts(at)) == "sockstat: gone"


def test_listeners_that_share_an_address_are_one(busy: Sample) -> None:
    """Queues add up, of ratios the worst counts; a port is that of any address."""
    assert samples("listener.accept_queue", busy)["tcp", "0.0.0.0:443"] == 4
    assert ask("listener[0.0.0.0:443].accept_queue_limit", busy) == 13
    assert ask("listener[0.0.0.0:443].accept_queue_ratio", busy) == 0.3
    assert ask("listener[:443].accept_queue_ratio", busy) == 0.3
    assert ask("listener[:443].sockets", busy) == 3
    assert ask("listener[[::]:443].sockets", busy) == 1
    assert ask("listener[:443].drops", busy) == 7
    assert ask("listener[0.0.0.0:443].syn_queue", busy) is None
    assert ask("listener[:8443].accept_queue", busy) == 0
    assert ask("listener[:80].accept_queue", busy) is None


def test_those_that_lost_something_come_first(busy: Sample) -> None:
    """The order is that in which a bounded list keeps them."""
    assert next(iter(samples("listener.drops", busy))) == ("tcp", "0.0.0.0:443")
    assert next(iter(samples("udp.drops", busy))) == ("udp", "0.0.0.0:53")


def test_connected_udp_sockets_are_one(busy: Sample) -> None:
    """Their ports are chosen by the kernel: they are no labels."""
    assert samples("udp.receive_buffer_used_bytes", busy) == {("udp", "0.0.0.0:53"): 4096, ("udp", "connected"): 100}
    assert ask("udp[:53].receive_buffer_ratio", busy) == 0.5
    assert ask("udp[connected].receive_buffer_ratio", busy) == 0.1
    assert ask("udp.drops", busy) == 8


def test_memory_of_a_table(busy: Sample) -> None:
    """Write queues count once, whatever part of them is below TCP."""
    assert ask("socket_memory[tcp].held_bytes", busy) == 1350
    assert ask("socket_memory[tcp].receive_bytes", busy) == 1000
    assert ask("socket_memory[tcp].send_bytes", busy) == 300
    assert ask("socket.drops", busy) == 8
    assert samples("socket.drops", busy) == {("udp",): 8}


def test_unknown_memory_is_unknown() -> None:
    """A socket whose memory is not told makes the sum unknown."""
    at = sample([sock("udp", 1), sock("udp", 2)._replace(skmem=None)])
    assert samples("socket_memory.held_bytes", at) == {("udp",): None}
    assert ask("socket.drops", at) is None


def test_limits(busy: Sample) -> None:
    """Levels, limits and ratios of the host."""
    assert ask("tcp_mem.used_bytes", busy) == 10 * 4096
    assert ask("tcp_mem.limit_bytes", busy) == 3000 * 4096
    assert ask("tcp_mem.pressure_limit_bytes", busy) == 2000 * 4096
    assert ask("tcp_mem.used_ratio", busy) == 10 / 3000
    assert ask("udp_mem.limit_bytes", busy) == 10000 * 4096
    assert ask("files.used_ratio", busy) == 0.5
    assert ask("tcp_orphans.used_ratio", busy) == 0
    assert ask("tcp_mem.pressure", busy) is None
    assert ask("fragments[AF_INET].limit_bytes", busy) == 4194304


def test_without_limits_ratios_are_unknown() -> None:
    """A limit that is not visible makes no ratio of 0."""
    at = sample(limits={"net.ipv4.tcp_mem": None, "fs.file-nr": None})
    assert ask("tcp_mem.used_ratio", at) is None
    assert ask("tcp_mem.used_bytes", at) == 40960
    assert ask("files.open", at) is None
    assert ask("tcp_mem.used_bytes", sample(page_size=None)) is None
    assert ask("sockets.used", sample(sockstat=None)) is None
    assert missing(MEASURES["sockets.used"], Facts(sample(sockstat=None))) == "sockstat: not read"


def test_path() -> None:
    """CPUs, devices, conntrack, disciplines."""
    cpu = ConntrackCpu(0, drop=3, insert_failed=1, early_drop=0)
    at = sample(
        counters={"dev.eth0.rx_drop": 4, "dev.a.b.rx_drop": 9, "softnet_stat.0.dropped": 1},
        conntrack=Conntrack(50, 200, 64, (cpu, cpu._replace(cpu=1, drop=4))),
        qdiscs=[Qdisc("eth0", "fq_codel", 10, 2, 77, 0, TC_H_ROOT), Qdisc("lo", "noqueue", 0, 0, 0, 0, TC_H_ROOT)],
    )
    assert ask("device[eth0].receive_drops", at) == 4
    assert list(samples("device.receive_drops", at)) == [("a.b",), ("eth0",)]
    assert ask("device[a.b].receive_drops", at) == 9
    assert ask("device[eth9].receive_drops", at) is None
    assert ask("conntrack.used_ratio", at) == 0.25
    assert ask("conntrack.drops", at) == 7
    assert samples("qdisc.drops", at) == {("eth0", "fq_codel"): 2}
    assert ask("conntrack.entries", sample()) is None
    assert samples("softnet.dropped", at) == {("0",): 0}


def test_counters_by_their_kernel_names() -> None:
    """Any counter is a measure; one that this kernel lacks is unknown."""
    at = sample(counters={"Udp.RcvbufErrors": 12, "TcpExt.TCPFoo": 3})
    assert ask("Udp.RcvbufErrors", at) == 12
    assert ask("TcpExt.TCPFoo", at) == 3
    assert ask("TcpExt.NotThere", at) is None
    assert find("Tcp.CurrEstab")[0].kind == "gauge"
    assert find("Tcp.InSegs")[0].kind == "counter"
    assert find("softnet_stat.0.dropped")[0].scope == "host"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tcp_mem.used_ration", "did you mean 'tcp_mem.used_ratio'?"),
        ("states[CLOSE_WAI]", "did you mean 'CLOSE_WAIT'?"),
        ("tcp_mem.used_ratio[x]", "takes no [x]"),
        ("states[", "a measure is NAME, NAME[LABEL] or FAMILY[LABEL].REST"),
        ("states[]", "a measure is NAME, NAME[LABEL] or FAMILY[LABEL].REST"),
        ("nonsense", "there is no measure 'nonsense'"),
        ("", "there is no measure ''"),
        ("Udp.", "there is no measure 'Udp.'"),
        ("listener.accept_queue_ratios[:443]", "did you mean 'listener.accept_queue_ratio'?"),
    ],
)
def test_mistakes_are_told(text: str, said: str) -> None:
    """The nearest name is suggested."""
    with pytest.raises(UsageError) as caught:
        find(text)
    assert said in str(caught.value)


def test_counters_of_this_kernel_are_suggested() -> None:
    """With the names that this kernel has, a misspelt one is told."""
    with pytest.raises(UsageError, match=r"did you mean 'Udp\.RcvbufErrors'"):
        find("Udp.RcvBufErors", ["Udp.RcvbufErrors", "Udp.InErrors"])
    assert find("Udp.InErrors", ["Udp.InErrors"])[0].name == "Udp.InErrors"


def test_a_name_does_not_pass_for_a_port() -> None:
    """Whoever names a unix socket does not get into the sums of a port."""
    named = sock("unix", 1, "LISTEN", recv_q=9, send_q=9, recv_q_unit="connections", local=Endpoint(b"\0evil:443"))
    at = sample([named, listener(0, 128, cookie=2, local=ANY4)])
    assert ask("listener[:443].accept_queue_ratio", at) == 0
    assert ask("listener[@evil:443].accept_queue_ratio", at) == 0.9


def test_names_of_metrics_are_unique_and_follow_from_the_names() -> None:
    """No two measures share a family, and no family's name ends in what is reserved."""
    names = [measure.metric for measure in MEASURES.values()]
    assert len(set(names)) == len(names)
    assert not [n for n in names if n.endswith(("_total", "_count", "_sum", "_bucket", "_info", "_created"))]
    assert snake("TcpExt.TCPReqQFullDrop") == "tcp_ext_tcp_req_q_full_drop"
    assert snake("Udp6.RcvbufErrors") == "udp6_rcvbuf_errors"
    for measure in MEASURES.values():
        assert measure.help.endswith((".", "closed."))
        assert (measure.unit == "bytes") == measure.metric.endswith("_bytes")
        assert (measure.unit == "ratio") == measure.metric.endswith("_ratio")
        assert measure.needs
