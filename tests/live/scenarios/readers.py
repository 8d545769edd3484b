"""UDP sockets and those that read them: in batches, with pauses, slower than their senders, stopped."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import (
    COUNTS,
    KEPT,
    LOOPBACK,
    blame,
    fill_to,
    forever,
    fork,
    keep,
    meminfo,
    stopped,
    udp,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

V4, V6 = socket.AF_INET, socket.AF_INET6
DEFAULT = 212992
_SMALL, _TRUESIZE = 500, 1280
FULL = "UDP_RECEIVE_BUFFER_FULL"


def paced(step: Callable[[], object], per_s: float, *, catch_up: int = 50) -> None:
    """Call *step* so often, as far as the machine lets it; what it could not do in time is not made good."""

    def loop() -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            due = max(due, now - catch_up / per_s)
            while due <= now:
                due += 1 / per_s
                try:
                    step()
                except OSError:
                    COUNTS["send_errors"] += 1
            time.sleep(max(0.001, due - time.monotonic()))

    threading.Thread(target=loop, daemon=True).start()


def drain(sock: socket.socket, at_most: int = 1 << 30) -> None:
    """Read what is there."""
    for _ in range(at_most):
        try:
            sock.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        COUNTS["received"] += 1


def _send_below(receiver: socket.socket, sender: socket.socket, share: float) -> Callable[[], None]:
    """Return what sends a datagram, unless the machine is so slow that the buffer is fuller than intended."""

    def step() -> None:
        held, limit = meminfo(receiver)[:2]
        if held <= share * limit:
            sender.send(b"x" * _SMALL)
            COUNTS["sent"] += 1

    return step


def _batches(period: float, peak: float, family: int = V4, size: int = DEFAULT) -> None:
    """Read all every *period* seconds, when the buffer is filled to *peak*."""
    receiver, sender = udp(family, size)
    paced(_send_below(receiver, sender, peak + 0.15), peak * size / _TRUESIZE / period)

    def read() -> None:
        drain(receiver)

    forever(read, period)


@healthy("UDP reader", quick=True)
def udp_batches_of_120_ms_to_two_thirds() -> None:
    _batches(0.12, 0.66)


@healthy("UDP reader")
def udp6_batches_of_120_ms_to_two_thirds() -> None:
    _batches(0.12, 0.66, V6)


@healthy("UDP reader")
def udp_batches_of_50_ms_to_half() -> None:
    _batches(0.05, 0.5)


@healthy("UDP reader")
def udp_batches_of_200_ms_to_half() -> None:
    _batches(0.2, 0.5)


@healthy("UDP reader", quick=True)
def udp_batches_of_350_ms_to_two_thirds() -> None:
    _batches(0.35, 0.66)


@healthy("UDP reader")
def udp_batches_of_500_ms_to_a_third() -> None:
    _batches(0.5, 0.33)


@healthy("UDP reader")
def udp_batches_of_700_ms_to_two_thirds() -> None:
    _batches(0.7, 0.66)


@healthy("UDP reader")
def udp_batches_in_a_large_buffer() -> None:
    _batches(0.4, 0.5, V4, 4 << 20)


@healthy("UDP reader")
def udp_batches_in_a_small_buffer() -> None:
    _batches(0.15, 0.6, V4, 32768)


@healthy("UDP reader")
def udp_eight_readers_in_batches() -> None:
    for number in range(8):
        _batches(0.1 + 0.06 * number, 0.5)


@healthy("UDP reader")
def udp_standing_queue() -> None:
    """As much is read as is sent, behind a queue that never gets empty."""
    receiver, sender = udp(size=DEFAULT)
    fill_to(receiver, sender, 0.4)

    def step() -> None:
        sender.send(b"x" * _SMALL)
        receiver.recv(2048, socket.MSG_DONTWAIT)

    paced(step, 800)


@healthy("UDP reader")
def udp_standing_queue_that_sways() -> None:
    """A queue between a fifth and a half, read a little at a time."""
    receiver, sender = udp(size=DEFAULT)
    fill_to(receiver, sender, 0.2)

    def rounds() -> None:
        for _ in range(45):
            sender.send(b"x" * _SMALL)
        for _ in range(9):
            time.sleep(0.03)
            drain(receiver, 5)

    forever(rounds, 0.001)


@healthy("UDP reader")
def udp_reader_with_gc_pauses() -> None:
    receiver, sender = udp(size=DEFAULT)
    paced(_send_below(receiver, sender, 0.65), 200)
    phase = iter(range(1 << 30))

    def read() -> None:
        drain(receiver)
        if next(phase) % 200 == 199:
            time.sleep(0.35)

    forever(read, 0.005)


@healthy("UDP reader")
def udp_bursts_read_at_once() -> None:
    receiver, sender = udp(size=DEFAULT)
    forever(lambda: [sender.send(b"x" * _SMALL) for _ in range(100)], 0.5)
    forever(lambda: drain(receiver), 0.002)


@healthy("UDP reader")
def udp_saw_tooth_of_three_seconds() -> None:
    _batches(3.0, 0.4)


@healthy("UDP reader")
def udp_request_and_answer() -> None:
    server, client = udp()

    def serve() -> None:
        data, peer = server.recvfrom(2048)
        server.sendto(data, peer)

    def ask() -> None:
        client.send(b"q" * 40)
        client.recv(2048)

    client.settimeout(1)
    forever(serve, 0)
    forever(ask, 0.002)


@healthy("UDP reader")
def udp_workers_of_one_port() -> None:
    _reuseport(4, stuck=0)


def _reuseport(workers: int, stuck: int) -> None:
    port = 0
    for number in range(workers):
        sock = keep(socket.socket(V4, socket.SOCK_DGRAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        port = sock.getsockname()[1]
        if number >= stuck:
            forever(lambda sock=sock: drain(sock), 0.002)
    senders = [keep(socket.socket(V4, socket.SOCK_DGRAM)) for _ in range(32)]
    for sender in senders:
        sender.connect(("127.0.0.1", port))
    forever(lambda: [sender.send(b"x" * _SMALL) for sender in senders], 0.02)


def _multicast(receivers: int) -> tuple[list[socket.socket], socket.socket]:
    from tests.live.scenarios.load import command

    command("ip link set lo multicast on")
    command("ip route add 239.0.0.0/8 dev lo")
    group = struct.pack("4s4s", socket.inet_aton("239.1.2.3"), socket.inet_aton("127.0.0.1"))
    made = []
    for _ in range(receivers):
        sock = keep(socket.socket(V4, socket.SOCK_DGRAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("239.1.2.3", 5353))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        made.append(sock)
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    sender.connect(("239.1.2.3", 5353))
    return made, sender


@healthy("UDP reader")
def udp_multicast_read() -> None:
    receivers, sender = _multicast(3)
    paced(lambda: sender.send(b"x" * _SMALL), 200)
    for one in receivers:
        forever(lambda one=one: drain(one), 0.03)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",))
def udp_multicast_one_does_not_read() -> None:
    receivers, sender = _multicast(3)
    paced(lambda: sender.send(b"x" * _SMALL), 400)
    for one in receivers[1:]:
        forever(lambda one=one: drain(one), 0.01)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",), quick=True)
def udp_one_worker_of_four_stuck() -> None:
    _reuseport(4, stuck=1)


def _reader_process(receiver: socket.socket, pause: float = 0.005) -> int:
    """Fork a process that alone holds the receiver and reads it."""

    def read() -> None:
        while True:
            drain(receiver)
            time.sleep(pause)

    pid = fork(read, receiver)
    KEPT.remove(receiver)
    receiver.close()
    return pid


def _stopped_reader(family: int, share: float) -> socket.socket:
    receiver, sender = udp(family, DEFAULT)
    pid = fork(signal.pause, receiver)
    os.kill(pid, signal.SIGSTOP)
    fill_to(receiver, sender, share)
    KEPT.remove(receiver)
    receiver.close()
    until(lambda: _is_stopped(pid))
    blame(pid)
    return sender


def _is_stopped(pid: int) -> bool:
    from tests.live.scenarios.load import state

    return state(pid) == "T"


@bad("stalled", "UDP reader", FULL, also=("at_risk",), says="not read|stopped|nobody reads", culprit=True, quick=True)
def udp_stopped_reader_at_half() -> None:
    sender = _stopped_reader(V4, 0.5)
    paced(lambda: sender.send(b"x"), 0.2)


@bad("stalled", "UDP reader", FULL, also=("at_risk",), says="not read|stopped|nobody reads", culprit=True)
def udp6_stopped_reader_at_half() -> None:
    _stopped_reader(V6, 0.5)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",), culprit=True, never="SO_RCVBUF|larger buffer")
def udp_stopped_reader_that_loses() -> None:
    sender = _stopped_reader(V4, 0.97)
    paced(lambda: sender.send(b"x" * _SMALL), 300)


@bad("dropping", "UDP reader", FULL, truth=("Udp6.RcvbufErrors",), culprit=True, never="SO_RCVBUF|larger buffer")
def udp6_stopped_reader_that_loses() -> None:
    sender = _stopped_reader(V6, 0.97)
    paced(lambda: sender.send(b"x" * _SMALL), 300)


@bad("stalled", "UDP reader", FULL, also=("at_risk",), says="not read|nobody reads|does not read", fresh=True)
def udp_half_full_and_slowly_filling() -> None:
    """Nobody reads; the buffer is full in half a minute."""
    receiver, sender = udp(size=DEFAULT)
    fill_to(receiver, sender, 0.45)
    paced(lambda: sender.send(b"x" * _SMALL), 3)


@bad("at_risk", "UDP reader", FULL, also=("dropping",), fresh=True)
def udp_reader_slightly_too_slow() -> None:
    """Four in five are read; the buffer fills in some six seconds, and from then on something is lost."""
    receiver, sender = udp(size=4 << 20)
    fill_to(receiver, sender, 0.7)
    paced(lambda: sender.send(b"x" * _SMALL), 800)
    paced(lambda: drain(receiver, 1), 640)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",))
def udp_reader_at_half_the_rate() -> None:
    receiver, sender = udp(size=DEFAULT)
    fill_to(receiver, sender, 0.95)
    paced(lambda: sender.send(b"x" * _SMALL), 1000)
    paced(lambda: drain(receiver, 1), 500)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",))
def udp_batches_of_half_a_second_that_overflow() -> None:
    """A batch reader whose buffer is too small for what comes between two batches: half is lost."""
    receiver, sender = udp(size=DEFAULT)
    paced(lambda: sender.send(b"x" * _SMALL), 2 * DEFAULT / _TRUESIZE / 0.4)
    forever(lambda: drain(receiver), 0.4)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",), severity="low")
def udp_few_are_lost() -> None:
    """A hundred datagrams a second are read, and one a second is lost at a socket that fills up in between."""
    receiver, sender = udp(size=DEFAULT)
    paced(lambda: sender.send(b"x" * _SMALL), 400)
    forever(lambda: drain(receiver), 0.002)
    other, burst = udp(size=4096)

    def lose() -> None:
        for _ in range(int(meminfo(other)[1] / _TRUESIZE) + 2):
            burst.send(b"x" * _SMALL)
        drain(other)

    forever(lose, 0.45)


@healthy("UDP reader")
def udp_many_destinations() -> None:
    """A sender that is not connected, and 64 receivers that read."""
    receivers = [udp()[0] for _ in range(64)]
    addresses = [one.getsockname() for one in receivers]
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))

    def send() -> None:
        for address in addresses:
            sender.sendto(b"x" * 200, address)

    forever(send, 0.05)
    forever(lambda: [drain(one) for one in receivers], 0.05)


@healthy("UDP reader")
def udp_sender_whose_answers_nobody_sent() -> None:
    """Sockets that only send: nothing waits anywhere."""
    receiver, sender = udp()
    paced(lambda: sender.send(b"x" * 1200), 300)
    forever(lambda: drain(receiver), 0.01)
    for _ in range(20):
        udp()


@healthy("UDP reader", noise=("Udp.NoPorts", "Icmp.*"))
def udp_one_datagram_a_second_to_a_closed_port() -> None:
    """A scanner, a traceroute: a datagram now and then to a port that nobody listens at."""
    udp_bursts_read_at_once()
    other = keep(socket.socket(V4, socket.SOCK_DGRAM))
    paced(lambda: other.sendto(b"x", (LOOPBACK[V4], 33434)), 1)


@healthy("UDP reader", asked="exec", quick=True)
def udp_batches_seen_by_ip_netns_exec() -> None:
    _batches(0.2, 0.4)


@healthy("UDP reader", asked="user", quick=True)
def udp_batches_seen_by_a_user() -> None:
    _batches(0.2, 0.4)


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",), asked="user")
def udp_overflow_seen_by_a_user() -> None:
    udp_reader_at_half_the_rate()


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",), asked="exec")
def udp_overflow_seen_by_ip_netns_exec() -> None:
    udp_reader_at_half_the_rate()


@bad("dropping", "UDP reader", FULL, truth=("Udp.RcvbufErrors",), culprit=True)
def udp_reader_stuck_in_a_long_computation() -> None:
    """A reader that is busy with something else, in a process of its own."""
    receiver, sender = udp(size=DEFAULT)

    def compute() -> None:
        while True:
            sum(range(100_000))
            time.sleep(0.02)

    blame(fork(compute, receiver))
    KEPT.remove(receiver)
    receiver.close()
    paced(lambda: sender.send(b"x" * _SMALL), 300)


@healthy("UDP reader")
def udp_stop_and_go() -> None:
    """A process that was stopped for a moment and reads again: nothing was lost."""
    receiver, sender = udp(size=DEFAULT)
    pid = _reader_process(receiver)
    fill = paced
    fill(lambda: sender.send(b"x" * _SMALL), 200)
    stopped(pid)
    time.sleep(0.2)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.2)
