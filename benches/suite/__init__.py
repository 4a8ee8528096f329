"""The modules of the gates and the benchmark.

``places``, ``clients``, ``servers`` and ``running`` run programs; ``counting`` and ``artefact``
contain measurements without noise; ``latency``, ``link``, ``throughput``, ``loop``, ``cold``,
``memory``, ``exact`` and ``growth`` are the parts of the benchmark; ``figures`` contains the
arithmetic, ``goals`` the goals, and ``tables`` and ``pictures`` the output.
"""
