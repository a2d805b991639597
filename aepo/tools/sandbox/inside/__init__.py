"""What runs beside the host: the keeper, the zygote and the runners. Standard library only, nothing of the package.

    host ── keeper ── zygote ── runner, runner, …

The *keeper* takes calls from the host, keeps their clocks, measures what they use and collects what they print. It
holds what the calls say, so no code that a model wrote ever runs in a copy of it. The *zygote* imports numpy and sympy
once, forks a runner when the keeper asks for one, and kills and buries runners; it never sees what a call says. A
*runner* confines itself, says that it is ready, gets one program, runs it and dies. Only runners run foreign code.
"""
