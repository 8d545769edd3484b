"""-N: move this process into a named network namespace, as ip-netns(8) describes.

**Source:** setns(2), mount(2); /sys is mounted afresh, for sysfs shows the namespace that mounted it.
"""

from __future__ import annotations

import os

from sockdiag.sources.namespaces.netns import setns
from sockdiag.sources.system.proc_root import close_fd
from sockdiag.ss.output import Stop, complain

_NAMED = "/var/run/netns"
_OWN_FILES = "/etc/netns"
_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000
_MNT_DETACH = 2


def switch(name: str) -> None:
    """Enter the namespace, for good.

    Raises:
        Stop: there is none of this name, or it cannot be entered.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def failed() -> str:
        return os.strerror(ctypes.get_errno())

    path = f"{_NAMED}/{name}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise Stop(1, f'Cannot open network namespace "{name}": {reason}') from None
    try:
        setns(fd)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Stop(1, f'setting the network namespace "{name}" failed: {reason}') from None
    finally:
        close_fd(fd)
    if libc.unshare(_CLONE_NEWNS) < 0:
        raise Stop(1, f"unshare failed: {failed()}")
    if libc.mount(b"", b"/", b"none", ctypes.c_ulong(_MS_SLAVE | _MS_REC), None):
        raise Stop(1, f'"mount --make-rslave /" failed: {failed()}')
    libc.umount2(b"/sys", _MNT_DETACH)
    if libc.mount(os.fsencode(name), b"/sys", b"sysfs", ctypes.c_ulong(0), None) < 0:
        raise Stop(1, f"mount of /sys failed: {failed()}")
    try:
        files = os.listdir(f"{_OWN_FILES}/{name}")
    except OSError:
        return
    for file in files:
        source, target = f"{_OWN_FILES}/{name}/{file}", f"/etc/{file}"
        if libc.mount(os.fsencode(source), os.fsencode(target), b"none", ctypes.c_ulong(_MS_BIND), None) < 0:
            complain(f"Bind {source} -> {target} failed: {failed()}\n")
