"""Linux socket diagnostics: one socket model over /proc/net, sysctls and sock_diag.

::

    import sockdiag

    host = sockdiag.open_system()
    for socket in host.sockets("state = listening", fields=("processes",)):
        print(socket.netid, socket.local, socket.processes)
    for finding in host.diagnose(interval=2).findings:
        print(finding.severity, finding.summary)
    for gap in host.gaps:
        print("could not read", gap.source, gap.reason)

Importing this package loads nothing else; each name below is imported when it is first used. docs/api.md describes what
stays stable.
"""

from __future__ import annotations

__all__ = [
    "Advice",
    "Diagnosis",
    "Endpoint",
    "Evidence",
    "FilterError",
    "Finding",
    "Gap",
    "Host",
    "Namespace",
    "NotJudged",
    "Owner",
    "Provenance",
    "Sample",
    "Scope",
    "SkMem",
    "SockdiagError",
    "Socket",
    "SourceDenied",
    "SourceError",
    "SourceUnavailable",
    "Subject",
    "Survey",
    "UsageError",
    "__version__",
    "cell",
    "open_system",
    "plain",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.errors import (
        FilterError,
        SockdiagError,
        SourceDenied,
        SourceError,
        SourceUnavailable,
        UsageError,
    )
    from sockdiag.judging.judge import NotJudged
    from sockdiag.model.address import Endpoint
    from sockdiag.model.finding import Advice, Evidence, Finding, Subject
    from sockdiag.model.provenance import Gap, Host, Namespace, Provenance, Scope
    from sockdiag.model.sample import Sample
    from sockdiag.model.skmem import SkMem
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.render.cells import cell
    from sockdiag.render.plain import plain
    from sockdiag.survey.diagnose import Diagnosis
    from sockdiag.survey.opening import open_system
    from sockdiag.survey.survey import Survey
    from sockdiag.version import __version__
else:
    # name -> module that defines it
    _HOMES = {
        "Advice": "sockdiag.model.finding",
        "Diagnosis": "sockdiag.survey.diagnose",
        "Endpoint": "sockdiag.model.address",
        "Evidence": "sockdiag.model.finding",
        "FilterError": "sockdiag.errors",
        "Finding": "sockdiag.model.finding",
        "Gap": "sockdiag.model.provenance",
        "Host": "sockdiag.model.provenance",
        "Namespace": "sockdiag.model.provenance",
        "NotJudged": "sockdiag.judging.judge",
        "Owner": "sockdiag.model.socket",
        "Provenance": "sockdiag.model.provenance",
        "Sample": "sockdiag.model.sample",
        "Scope": "sockdiag.model.provenance",
        "SkMem": "sockdiag.model.skmem",
        "SockdiagError": "sockdiag.errors",
        "Socket": "sockdiag.model.socket",
        "SourceDenied": "sockdiag.errors",
        "SourceError": "sockdiag.errors",
        "SourceUnavailable": "sockdiag.errors",
        "Subject": "sockdiag.model.finding",
        "Survey": "sockdiag.survey.survey",
        "UsageError": "sockdiag.errors",
        "__version__": "sockdiag.version",
        "cell": "sockdiag.render.cells",
        "open_system": "sockdiag.survey.opening",
        "plain": "sockdiag.render.plain",
    }

    def __getattr__(name):
        """Import a public name when it is first used."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'sockdiag' has no attribute {name!r}")
        value = getattr(__import__(home, fromlist=[name]), name)
        globals()[name] = value
        return value

    def __dir__():
        """List the public names, imported or not."""
        return sorted(__all__)
