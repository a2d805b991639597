"""What one program may use."""

from __future__ import annotations

from pydantic import Field

from aepo.algorithms.parts import Part
from aepo.units import Bytes, Characters, Files, Processes, Seconds


class Limits(Part):
    """Limits of one call; those of processor time, memory and processes hold for all of its processes together."""

    seconds: Seconds = Field(10.0, gt=0, le=3600, description="time from the start of a call's run to its end")
    cpu_seconds: Seconds = Field(30.0, gt=0, le=36000, description="processor time")
    memory: Bytes = Field(2**30, ge=2**26, description="memory beyond what the interpreter and its libraries take")
    processes: Processes = Field(64, ge=4, le=4096, description="processes and threads at a time")
    output: Characters = Field(10_000, ge=100, le=10**6, description="shown of what is printed; the middle is left out")
    printed: Bytes = Field(2**24, ge=2**12, description="printed, shown or not, after which the call is stopped")
    disk: Bytes = Field(2**26, ge=2**16, description="all files together")
    files: Files = Field(4096, ge=16, le=10**6, description="files and folders")
    file_size: Bytes = Field(2**26, ge=2**12, description="of one file")
    open_files: Files = Field(64, ge=16, le=1024, description="open at a time in one process")
