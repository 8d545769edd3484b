"""Real sockets of every kind, in network namespaces of their own.

A :class:`~tests.live.world.namespace.Namespace` is a process that left the caller's network namespace and holds sockets
for it. What it holds is made by the *factories* in ``tcp``, ``tcp_scripted``, ``options``, ``udp``, ``unix``, ``netlink``,
``packet``, ``raw`` and ``mptcp``: each creates one arrangement of sockets and says, as :class:`~tests.live.world.facts.Fact`,
what the kernel must now tell about each of them.

The namespace can be looked at in four ways: ``Namespace.path`` for ``--netns`` and ``nsenter --net=``, ``Namespace.ss()``
and ``Namespace.run()`` for programs, ``Namespace.proc()`` for its /proc/net, ``Namespace.call()`` for functions that run in
the process that holds the sockets.
"""
