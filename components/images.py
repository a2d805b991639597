"""Names of the container images, in one place.

A tag is the version of the package and never moves: the image's name is part of the key under which Kubeflow
caches the result of a step.
"""

from aepo import __version__

RUNTIME_IMAGE = f"aepo/runtime:{__version__}"
"""Python with this package: every stage runs in it."""

SANDBOX_IMAGE = f"aepo/sandbox:{__version__}"
"""The sandbox server, in which the policy's Python code runs. manifests/base/sandbox names it too."""
