"""Where the Python code that a policy writes is run."""

from aepo.tools.sandbox.limits import Limits
from aepo.tools.sandbox.python_sandbox import PythonSandbox
from aepo.tools.sandbox.settings import SandboxSettings

__all__ = ["Limits", "PythonSandbox", "SandboxSettings"]
