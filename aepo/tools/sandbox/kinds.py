"""Which kinds of sandbox there are, which of them works here, and what to do when none does."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from aepo.errors import UserError
from aepo.tools.sandbox.keeper_process import KeeperError, KeeperProcess
from aepo.tools.sandbox.limits import Limits
from aepo.tools.sandbox.settings import Kind

log = logging.getLogger(__name__)

CHECK = {
    "bubblewrap": "bwrap --unshare-all --ro-bind / / true",
    "landlock": "cat /sys/kernel/security/lsm",
}
"""Commands with which a user sees whether a kind can work."""

_SWITCHES = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=15000"),
}

_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_PROFILE = (
    "AppArmor keeps bubblewrap from making user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1). "
    "Allow it with a file /etc/apparmor.d/bwrap:\n"
    "    abi <abi/4.0>,\n"
    "    include <tunables/global>\n"
    "    profile bwrap /usr/bin/bwrap flags=(unconfined) {\n"
    "      userns,\n"
    "    }\n"
    "and load it: apparmor_parser -r /etc/apparmor.d/bwrap"
)


async def open_keeper(kind: Kind, limits: Limits, calls: int) -> tuple[Kind, KeeperProcess]:
    """A keeper that has a runner ready, of the kind that was asked for or of the best that works.

    Raises:
        UserError: none works.
    """
    if sys.platform != "linux":
        raise UserError(
            "the code that a policy writes is run on Linux only: name a sandbox server there (sandbox.url), which "
            "`aepo sandbox serve` starts."
        )
    reasons: dict[str, str] = {}
    for candidate in ("bubblewrap", "landlock") if kind == "auto" else (kind,):
        try:
            keeper = await _start(candidate, limits, calls)
        except (KeeperError, OSError) as error:
            reasons[candidate] = str(error) + _advice(candidate)
            continue
        for failed, why in reasons.items():
            log.info("%s does not work here (%s): %s confines the policy's code", failed, why, candidate)
        return candidate, keeper
    raise UserError(_refusal(reasons))


async def _start(kind: str, limits: Limits, calls: int) -> KeeperProcess:
    keeper = KeeperProcess(kind, limits, calls)
    try:
        await keeper.started()
    except BaseException:
        await keeper.close(patience=0.0)
        raise
    return keeper


def _advice(kind: str) -> str:
    """What on this machine keeps a kind from working, where it is known."""
    if kind != "bubblewrap":
        return ""
    if _reads(_APPARMOR) == "1":
        return f". {_PROFILE}"
    for path, (off, remedy) in _SWITCHES.items():
        if _reads(path) == off:
            return f". {path} is {off}: {remedy}"
    return ""


def _reads(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _refusal(reasons: dict[str, str]) -> str:
    said = "\n".join(
        f"- {kind}: {why}; to check: {CHECK.get(kind, 'see the message')}" for kind, why in reasons.items()
    )
    return (
        f"there is no sandbox here for the code that a policy writes:\n{said}\n"
        "Mend one of them, or name a sandbox server (sandbox.url). sandbox.kind = unsafe runs the code as a plain "
        "process of this user, from which nothing of this user's is safe."
    )
