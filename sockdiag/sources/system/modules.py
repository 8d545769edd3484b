"""Kernel modules that may be asked without being loaded: found in files, for each request to a handler that lacks loads its module.

Source: ``request_module()`` in ``sock_diag_lock_handler()`` and ``inet_diag_lock_handler()``. A loaded module is in
``/proc/modules``, one that is built in in ``modules.builtin``. ``/sys/module`` has a folder for a built-in one only if that has
parameters, which diag modules do not have. Without ``modules.builtin`` (in a container, say) the symbols of a handler are in
``/proc/kallsyms``.
"""

from __future__ import annotations

from os import F_OK, access

from sockdiag.errors import SourceError, SourceUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

_MODULES, _RELEASE, _SYMBOLS = "/proc/modules", "/proc/sys/kernel/osrelease", "/proc/kallsyms"

# Modules by the names that they had before.
_FORMER = {"tipc_diag": "diag"}
# The function that dumps sockets is called as the module but for these.
_DUMP = {"af_packet_diag": "packet_diag_dump", "tipc_diag": "tipc_sock_diag_handler_dump"}


class Modules:
    """The modules of the running kernel.

    Args:
        files: /proc and /lib/modules of the running system.
        symbols: look for built-in handlers among the kernel's symbols if no file lists what is built in. That takes some
            100 ms, once.
    """

    __slots__ = ("_built_in", "_files", "_look")

    def __init__(self, files: ProcRoot, *, symbols: bool = True) -> None:
        self._files = files
        self._look = symbols
        self._built_in: bytes | None = None

    def lacks(self, module: str) -> str:
        """Return why a handler may not be asked without its module being loaded; "" if it may.

        Loaded modules are read anew each time: they come and go.
        """
        try:
            loaded = self._files.read(_MODULES)
        except SourceUnavailable:
            # A kernel that loads no modules has no such file. Nor has a /proc that shows processes alone, which has no
            # sysctls either.
            if self._release():
                return ""
            loaded = b""
        except SourceError:
            loaded = b""
        names = (module, *((_FORMER[module],) if module in _FORMER else ()))
        if any(_live(loaded, name) for name in names):
            return ""
        known = self._listed()
        if known:
            return "" if any(f"/{name}.ko\n".encode() in known for name in names) else not_loaded(module)
        if not self._look:
            return not_loaded(module)
        symbols = self._symbols()
        if not symbols:
            return f"no file shows whether the kernel has {module}"
        return "" if _has_symbol(symbols, _DUMP.get(module, f"{module}_dump")) else not_loaded(module)

    def _release(self) -> str:
        try:
            return self._files.read(_RELEASE).decode("ascii", "replace").strip()
        except SourceError:
            return ""

    def _listed(self) -> bytes:
        release = self._release()
        try:
            return self._files.read(f"/lib/modules/{release}/modules.builtin") if release else b""
        except SourceError:
            return b""

    def _symbols(self) -> bytes:
        if self._built_in is None:
            try:
                text = self._files.read(_SYMBOLS)
            except SourceError:
                text = b""
            # Ten megabytes, of which a process that runs on keeps the lines that matter.
            self._built_in = b"\n".join(line for line in text.splitlines() if b"_diag_" in line)
        return self._built_in


def has_nf_tables(files: ProcRoot) -> bool:
    """Return whether nf_tables may have rules: asking for them would load it."""
    return not Modules(files, symbols=False).lacks("nf_tables")


def loads_modules() -> bool:
    """Return whether the running kernel can load modules."""
    return access(_MODULES, F_OK)


def not_loaded(module: str) -> str:
    """Return the words for a module that is not loaded."""
    return f"the module {module} is not loaded"


def _live(loaded: bytes, module: str) -> bool:
    # name size uses users state address
    for line in loaded.splitlines():
        if line.startswith(f"{module} ".encode()):
            return line.split()[4:5] == [b"Live"]
    return False


def _has_symbol(symbols: bytes, function: str) -> bool:
    # A compiler may add a suffix: tcp_diag_dump.cold, tcp_diag_dump.llvm.1234.
    return any(
        name.partition(b".")[0] == function.encode() for line in symbols.splitlines() for name in line.split()[2:3]
    )
