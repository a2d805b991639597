"""What a user may say about the sandbox: the section `sandbox` of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aepo.algorithms.parts import Part
from aepo.tools.sandbox.limits import Limits
from aepo.units import Bytes, Calls, Characters, Processes, Seconds

Kind = Literal["auto", "bubblewrap", "landlock", "unsafe"]


class SandboxSettings(Part):
    """Where and how the Python code that a policy writes is run."""

    url: str | None = Field(
        None, description="address of a sandbox server, such as http://aepo-sandbox:8080; null = on this machine"
    )
    patience: Seconds = Field(
        60.0, gt=0, le=3600, description="that a call to a server may take, with waiting for a free place"
    )
    kind: Kind = Field(
        "auto",
        description="on this machine: auto = bubblewrap, or where it does not work Landlock; unsafe = a plain process, "
        "from which nothing is safe",
    )
    workers: Calls | None = Field(None, ge=1, le=1024, description="calls at once; null = one for each processor")
    seconds: Seconds = Field(10.0, gt=0, le=3600, description="time of a call")
    memory: Bytes = Field(2**30, ge=2**26, description="memory of a call, beyond that of the interpreter")
    processes: Processes = Field(64, ge=4, le=4096, description="processes and threads of a call at a time")
    output: Characters = Field(10_000, ge=100, le=10**6, description="shown of what a call prints")
    disk: Bytes = Field(2**26, ge=2**16, description="all files of a call together")

    @property
    def limits(self) -> Limits:
        """Of a call."""
        return Limits(
            seconds=self.seconds,
            cpu_seconds=min(3 * self.seconds, 36000),
            memory=self.memory,
            processes=self.processes,
            output=self.output,
            disk=self.disk,
            file_size=self.disk,
        )
