"""sos plugin: sockdiag's view of this host, as JSON.

Goes beside the plugins that come with sos (sos/report/plugins/ in its Python package) and runs if there is a program
called sockdiag. Written for sos 4.0 and later: it declares no options, for their declaration differs between releases.
"""

from sos.report.plugins import DebianPlugin, IndependentPlugin, Plugin


# sos 4.0 does not load a plugin on Debian that is tagged independent alone.
class Sockdiag(Plugin, IndependentPlugin, DebianPlugin):
    """Socket states, memory, queues, losses and findings."""

    short_desc = "Socket diagnostics: states, memory, queues and losses"

    plugin_name = "sockdiag"
    profiles = ("network", "performance")
    packages = ("sockdiag",)
    commands = ("sockdiag",)

    def setup(self):
        """Name the commands; sos ends each that takes longer than its time limit. A report loads no kernel modules."""
        self.add_cmd_output(
            [
                "sockdiag states --netns all --load-modules never --json",
                "sockdiag states --netns all --by process --load-modules never --json",
                "sockdiag memory --netns all --load-modules never --json",
                "sockdiag limits --json",
                "sockdiag protocols --json",
                "sockdiag doctor --interval 2 --load-modules never --json",
                "sockdiag risk --interval 2 --load-modules never --json",
                "sockdiag listeners --interval 2 --load-modules never --json",
                "sockdiag path --interval 2 --load-modules never --json",
            ],
            stderr=False,
            timeout=60,
        )
        # One line per socket: if sos cuts the output to its size limit, the remaining lines can still be read.
        command = "sockdiag list --netns all -o +processes --load-modules never --ndjson"
        self.add_cmd_output(command, stderr=False, timeout=120)
