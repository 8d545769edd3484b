"""Words that captures have by themselves: of the kernel's files, and of this program's notes.

A name that is such a word gets a pseudonym like any other, but where the word stands in a capture says nothing about the name.
"""

from __future__ import annotations

from sockdiag.model.counter_table import every_counter
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.redaction.names import VOCABULARY, WORD
from sockdiag.sources.redaction.redactor import PATTERNS

_OTHERS = b"""
meta toml stat tsv netns process mount answers sha256sums moments netlink outer passwd format kernel boot arch x86 64 how interval captured at monotonic gap source
reason hint redacted sockdiag capture x86_64 aarch64 Permission denied descriptors of processes No such file or directory Operation not
permitted supported Protocol Address family Connection refused device Invalid argument PID fd
comm status cmdline limits wchan mountinfo hostname domainname osrelease ostype random boot id
inet diag tcp udp raw icmp sctp dccp mptcp udplite tcp6 udp6 raw6 icmp6 dccp6 mptcp6 udplite6 sctp6 unix vsock xdp packet RTM NFT MSG
GETADDR GETRULE GETCHAIN GETNEIGHTBL GETNEIGH GETQDISC GETLINK GETROUTE nl
Umask State Tgid Ngid Pid PPid TracerPid Uid Gid FDSize Groups NStgid NSpid NSpgid NSsid Kthread VmPeak VmSize VmLck VmPin VmHWM VmRSS RssAnon
RssFile RssShmem VmData VmStk VmExe VmLib VmPTE VmSwap HugetlbPages CoreDumping THP enabled untag mask Threads SigQ SigPnd ShdPnd SigBlk SigIgn
SigCgt CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp filters Speculation Store Bypass SpeculationIndirectBranch Cpus Mems allowed list
voluntary nonvoluntary ctxt switches kB sleeping running idle disk sleep zombie stopped tracing stop dead thread vulnerable not vulnerable always
conditional force mitigated unknown globally x86 Thread features locked Name
Limit Soft Hard Units Max cpu time file size data stack core resident set processes open files locked memory address space locks pending
signals msgqueue nice priority realtime timeout unlimited seconds bytes us
sl local address remote rem st tx queue rx tr tm when retrnsmt uid timeout inode ref pointer drops Num RefCount Protocol Flags Type St
Inode Path sk Eth Pid Groups Rmem Wmem Dump Locks Drops Iface User Proto protocol size sockets press maxhdr slab module cl co di ac io in de
sh ss gs se re bi br ha uh gp em yes no NI Inter Receive Transmit face packets errs fifo frame compressed multicast colls carrier
Idx Device Count Querier Users Timer Reporter Main Local universe link host LOCAL BROADCAST UNICAST site nowhere
entries clashres found new invalid ignore delete chainlength insert failed drop early error expect create search restart
cpu cpu0 intr ctxt btime processes procs running blocked softirq used orphan mem alloc inuse
rw ro nosuid nodev noexec relatime noatime shared master proc sysfs devtmpfs tmpfs devpts ext4 ext3 xfs btrfs overlay cgroup2 bpf nsfs
securityfs debugfs tracefs pstore fusectl configfs mqueue hugetlbfs autofs binfmt efivarfs ramfs squashfs nfs nfs4 cifs vfat fuse discard
resv strict user pids kmem limit usage current stat events pressure type max min low high controllers procs threads peak
Group FRAG FRAG6 memory frag snmp nonlocal bind sizes cubic reno bbr noqueue pfifo fast codel fq htb mq loopback ether arp cache ndisc
queue full receive buffer
default all veth vlan bridge bond vxlan dummy ifb tun ipip gre sit
self net ns mnt ipv4 ipv6 neigh conf core netfilter route proto kept
"""


def kernel_words() -> frozenset[bytes]:
    """Return all of them, in small letters."""
    counters = [counter.name for counter in every_counter()]
    names = (*PATTERNS, *SYSCTLS, *counters, *(name.replace(".", "") for name in counters))
    text = b" ".join((_OTHERS, *(name.encode() for name in names), *VOCABULARY))
    return frozenset(word.lower() for word in WORD.findall(text))
