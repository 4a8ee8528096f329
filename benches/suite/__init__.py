"""What the gates and the benchmark are made of.

``places``, ``clients``, ``servers`` and ``running`` run things; ``counting`` and ``artefact`` count
what no noise moves; ``latency``, ``throughput``, ``cold``, ``memory``, ``exact`` and ``growth`` are
the parts of the benchmark; ``figures`` is the arithmetic; ``goals`` holds every goal; ``tables``
and ``pictures`` show.
"""
