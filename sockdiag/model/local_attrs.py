"""Fields that only unix and netlink sockets have."""

from __future__ import annotations

from sockdiag.model.record import COUNT, FLAGS, ID, LABEL, Record, field


class UnixAttrs(Record):
    """Details of an AF_UNIX socket.

    Source: ``sk_diag_fill()``, net/unix/diag.c; ``unix_seq_show()``, net/unix/af_unix.c.
    """

    peer_inode: int | None = field(
        "sockfs inode of the socket at the other end; 0: it has none (not accepted yet), null: not connected.",
        default=None,
        optional=True,
        kind=ID,
        header="PEER-INODE",
        kernel="sock_i_ino(unix_sk(sk)->peer)",
        sources=("UNIX_DIAG_PEER",),
    )
    vfs_ino: int | None = field(
        "Inode of the socket file in its filesystem; not the sockfs inode.",
        default=None,
        optional=True,
        kind=ID,
        header="VFS-INO",
        needs="details",
        kernel="d_backing_inode(unix_sk(sk)->path.dentry)->i_ino",
        sources=("UNIX_DIAG_VFS: udiag_vfs_ino",),
    )
    vfs_dev: tuple[int, int] | None = field(
        "Device of that filesystem: major and minor.",
        default=None,
        optional=True,
        kind=ID,
        header="VFS-DEV",
        needs="details",
        kernel="unix_sk(sk)->path.dentry->d_sb->s_dev",
        sources=("UNIX_DIAG_VFS: udiag_vfs_dev",),
    )
    icons: tuple[int, ...] | None = field(
        "On a stream listener: sockfs inodes of the clients whose connections wait in accept(2).",
        default=None,
        optional=True,
        kind=ID,
        header="ICONS",
        needs="details",
        kernel="sock_i_ino(unix_sk(skb->sk)->peer) of sk->sk_receive_queue",
        sources=("UNIX_DIAG_ICONS",),
    )
    socket_state: str | None = field(
        "State as /proc spells it: SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED or SS_DISCONNECTING; the second and the "
        "last have no file.",
        default=None,
        kind=LABEL,
        header="SOCKET-STATE",
        kernel="sk->sk_socket, sk->sk_state",
        sources=("/proc/net/unix: St",),
    )
    refs: int | None = field(
        "References that the kernel holds to the socket.",
        default=None,
        unit=COUNT,
        header="REFS",
        kernel="sk->sk_refcnt",
        sources=("/proc/net/unix: RefCount",),
    )


# Bits of NETLINK_DIAG_FLAGS, NDIAG_FLAG_* in include/uapi/linux/netlink_diag.h.
_NETLINK_FLAGS = ("CB_RUNNING", "PKTINFO", "BROADCAST_ERROR", "NO_ENOBUFS", "LISTEN_ALL_NSID", "CAP_ACK")


class NetlinkAttrs(Record):
    """Details of an AF_NETLINK socket.

    Source: ``sk_diag_fill()``, net/netlink/diag.c; ``netlink_native_seq_show()``, net/netlink/af_netlink.c.
    """

    groups: int | None = field(
        "Mask of the multicast groups 1 to 32 that it joined; group 1 is bit 0.",
        default=None,
        kind=FLAGS,
        header="GROUPS",
        kernel="nlk->groups[0]",
        sources=("NETLINK_DIAG_GROUPS", "/proc/net/netlink: Groups"),
    )
    memberships: tuple[int, ...] | None = field(
        "Numbers of all multicast groups that it joined, as NETLINK_ADD_MEMBERSHIP takes them.",
        default=None,
        kind=ID,
        header="MEMBERSHIPS",
        kernel="nlk->groups",
        sources=("NETLINK_DIAG_GROUPS",),
    )
    dst_portid: int | None = field(
        "Port id that it is connected to; 0 is the kernel, or no connection.",
        default=None,
        kind=ID,
        header="DST-PORTID",
        kernel="nlk->dst_portid",
        sources=("netlink_diag_msg.ndiag_dst_portid",),
    )
    dst_group: int | None = field(
        "Group that it sends to by default; 0 is none.",
        default=None,
        kind=ID,
        header="DST-GROUP",
        kernel="nlk->dst_group",
        sources=("netlink_diag_msg.ndiag_dst_group",),
    )
    cb_running: bool | None = field(
        "A dump that its owner asked for is not read to the end.",
        default=None,
        kind=LABEL,
        header="DUMP",
        kernel="nlk->cb_running",
        sources=("NETLINK_DIAG_FLAGS", "/proc/net/netlink: Dump"),
    )
    flags: int | None = field(
        "Options of the socket.",
        default=None,
        kind=FLAGS,
        words=_NETLINK_FLAGS,
        header="FLAGS",
        kernel="nlk->flags",
        sources=("NETLINK_DIAG_FLAGS",),
    )
    refs: int | None = field(
        "References that the kernel holds to the socket.",
        default=None,
        unit=COUNT,
        header="REFS",
        kernel="sk->sk_refcnt",
        sources=("/proc/net/netlink: Locks",),
    )
