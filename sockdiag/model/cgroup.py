"""The unit and the container of a process, by its cgroups."""

from __future__ import annotations

from sockdiag.model.record import ID, LABEL, Record, field

# How much of a container's id people and `docker ps` use.
SHORT_ID = 12


class Cgroup(Record):
    """The systemd unit and the container of a process. Source: ``proc_cgroup_show()``, kernel/cgroup/cgroup.c."""

    unit: str | None = field(
        "Innermost systemd unit, named as systemctl names it.",
        default=None,
        kind=LABEL,
        header="UNIT",
        sources=("/proc/PID/cgroup",),
    )
    container_id: str | None = field(
        "Full id of the innermost container, or its name where the runtime goes by names.",
        default=None,
        kind=ID,
        header="CONTAINER-ID",
        sources=("/proc/PID/cgroup",),
    )
    runtime: str | None = field(
        "What runs the container: docker, containerd, cri-o, podman, lxc, libvirt-lxc or systemd-nspawn; unknown where "
        "the path has the bare id, as below kubepods.",
        default=None,
        kind=LABEL,
        header="RUNTIME",
        sources=("/proc/PID/cgroup",),
    )
    pod: str | None = field(
        "UID of the Kubernetes pod, or id of the podman pod.",
        default=None,
        kind=ID,
        header="POD",
        sources=("/proc/PID/cgroup",),
    )

    @property
    def container(self) -> str | None:
        """Name of the container, or the first twelve digits of its id."""
        known = self.container_id
        if known is None or not is_long_id(known):
            return known
        return known[:SHORT_ID]


def is_long_id(text: str) -> bool:
    """Return whether a text is a container id as OCI runtimes make them: 64 hexadecimal digits."""
    return len(text) == 64 and not text.strip("0123456789abcdef")
