"""Where the keys of an S3 store come from: a mounted secret, else the environment, else what AWS provides.

They are read when a request is signed, so a rotated secret is used at once; they are never logged or shown.
"""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import Any

import urllib3
from minio.credentials import AWSConfigProvider, Credentials, IamAwsProvider, Provider

from aepo.errors import UserError

SECRET_FILES = ("accesskey", "secretkey")
"""File names of Kubeflow's secret `mlpipeline-minio-artifact`, in which other secrets are mounted too."""

_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_MINIO = ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "")
_ROLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_KEY = re.compile(r"[\x21-\x7e]+")


class CheckedProvider(Provider):
    """A source of credentials whose failures say where the keys were looked for, and nothing else.

    Args:
        origin: the source in words.
        provider: what reads it.
    """

    def __init__(self, origin: str, provider: Provider) -> None:
        self.origin = origin
        self._provider = provider

    def retrieve(self) -> Credentials:
        """The credentials as they are now.

        Raises:
            UserError: there are none, or they cannot be credentials.
        """
        try:
            found = self._provider.retrieve()
        except Exception as error:  # its text may hold a token, as part of an address that was asked
            raise UserError(f"the credentials in {self.origin} cannot be read ({type(error).__name__}).") from None
        if not (_KEY.fullmatch(found.access_key) and _KEY.fullmatch(found.secret_key)):
            raise UserError(f"the credentials in {self.origin} hold characters that no key has: set them again.")
        return found


def find_credentials(secret: str | None) -> CheckedProvider:
    """The first source that is there: the mounted secret if one is named, else environment, AWS file, role.

    A role is used only where the environment announces one: elsewhere the address that hands out roles does not
    answer.

    Raises:
        UserError: there is none, or it lacks a part.
    """
    if secret:
        provider = CheckedProvider(f"the secret {secret} (files {', '.join(SECRET_FILES)})", _Secret(Path(secret)))
    elif found := next((names for names in (_AWS, _MINIO) if any(os.environ.get(name) for name in names[:2])), None):
        provider = CheckedProvider(f"the environment ({found[0]}, {found[1]})", _Environment(*found))
    elif _has_aws_file():
        provider = CheckedProvider("the AWS credentials file", AWSConfigProvider())
    elif any(os.environ.get(name) for name in _ROLES):
        role = os.environ.get("AWS_ROLE_ARN", "of this pod")
        return CheckedProvider(f"the role {role}", IamAwsProvider(http_client=_RoleClient()))
    else:
        raise UserError(
            "no credentials for the S3 store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or mount a secret with "
            f"the files {' and '.join(SECRET_FILES)} and set storage.secret to its folder."
        )
    provider.retrieve()
    return provider


class _Secret(Provider):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def retrieve(self) -> Credentials:
        access_key, secret_key = ((self._folder / name).read_text().strip() for name in SECRET_FILES)
        return Credentials(access_key, secret_key)


class _Environment(Provider):
    def __init__(self, access_key: str, secret_key: str, session_token: str) -> None:
        self._names = (access_key, secret_key, session_token)

    def retrieve(self) -> Credentials:
        access_key, secret_key, session_token = (os.environ.get(name, "").strip() for name in self._names)
        return Credentials(access_key, secret_key, session_token or None)


class _RoleClient(urllib3.PoolManager):
    """Asks for a role's credentials; what identifies the pod travels in the body, for addresses are logged."""

    def __init__(self) -> None:
        super().__init__(timeout=urllib3.Timeout(connect=5, read=10), retries=urllib3.Retry(2, backoff_factor=0.5))

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **request: Any
    ) -> urllib3.BaseHTTPResponse:
        if method == "POST":
            url, _, form = url.partition("?")
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            request |= {"body": form.encode(), "headers": headers}
        return super().urlopen(method, url, redirect, **request)


def _has_aws_file() -> bool:
    try:
        AWSConfigProvider().retrieve()
    except (ValueError, OSError, configparser.Error):
        return False
    return True
