"""What is around a process that would run a model's code: a cluster, an object store's keys.

However good a sandbox is, code that a model wrote does not run beside keys.
"""

from __future__ import annotations

import os
from pathlib import Path

KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "MINIO_ACCESS_KEY",
    "MINIO_SECRET_KEY",
    "MINIO_ROOT_USER",
    "MINIO_ROOT_PASSWORD",
)
"""Environment variables that hold an object store's keys, or say where they are had."""

ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where Kubernetes mounts the token of a pod's account."""


def in_cluster() -> bool:
    """Whether this process runs in a pod."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) or ACCOUNT_TOKEN.exists()


def keys_in_environment() -> list[str]:
    """Names of the variables that hold keys; never what they hold."""
    return [name for name in KEYS if os.environ.get(name)]
