"""Which sandbox runs the policy's code: one on this machine, or a server elsewhere.

In a cluster it is always a server, whose pods hold no key (manifests/base/sandbox). On any other machine it may be this
one, but not while an object store's keys are in the environment or mounted: they are one mistake away from the code.
"""

from __future__ import annotations

from pathlib import Path

from aepo.errors import UserError
from aepo.tools.sandbox import PythonSandbox, SandboxSettings, surroundings
from aepo.tools.sandbox.remote import RemoteSandbox

OR_ELSE = (
    "move them to ~/.aws/credentials, which no sandbox sees; or start a server as a user without them "
    "(`aepo sandbox serve`) and set sandbox.url to its address."
)


def open_sandbox(settings: SandboxSettings, secret: Path | None = None) -> PythonSandbox | RemoteSandbox:
    """The sandbox for the tool `python`; it opens at its first call.

    Args:
        settings: of the sandbox.
        secret: folder in which the configured object store's keys are mounted (storage.secret).

    Raises:
        UserError: no server is named, and this process runs in a cluster, or has an object store's keys in reach.
    """
    if settings.url is not None:
        return RemoteSandbox(settings.url, seconds=settings.patience)
    if surroundings.in_cluster():
        raise UserError(
            "in a cluster the policy's code never runs in the pod of a step: start the sandbox's own pods with "
            "`kubectl apply -k manifests/base`, and set sandbox.url to their service, http://aepo-sandbox:8080."
        )
    _refuse_keys(secret)
    return PythonSandbox(settings.limits, kind=settings.kind, workers=settings.workers)


def _refuse_keys(secret: Path | None) -> None:
    """Refuse a sandbox on this machine beside an object store's keys. They are named, and what they hold is not."""
    if names := surroundings.keys_in_environment():
        found = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} in the environment"
    elif secret is not None and secret.exists():
        found = f"the object store's keys are mounted at {secret} (storage.secret)"
    else:
        return
    raise UserError(f"no sandbox on this machine while {found}, beside which the policy's code would run: {OR_ELSE}")
