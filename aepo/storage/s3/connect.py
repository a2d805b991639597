"""Opens an S3 store. Clients, and with them open connections, are shared by all stores of a process."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from minio import Minio

from aepo.errors import UserError
from aepo.storage.addresses import local_folder, shown
from aepo.storage.s3.address import S3Address, read_address
from aepo.storage.s3.bucket import Bucket
from aepo.storage.s3.credentials import CheckedProvider, find_credentials
from aepo.storage.s3.errors import Place
from aepo.storage.s3.http import PatientPool
from aepo.storage.s3.store import S3Store
from aepo.storage.settings import StorageSettings

CACHE = ".cache"
_CLIENTS: dict[tuple[int, str, str, str], Minio] = {}


def open_s3(settings: StorageSettings) -> S3Store:
    """The store at an s3:// root; fetched folders are kept below the scratch folder.

    Raises:
        UserError: root or endpoint are malformed, or there are no credentials.
    """
    address = read_address(settings)
    credentials = find_credentials(settings.secret)
    bucket = Bucket(_client(address, credentials), address.bucket)
    place = Place(address.endpoint, address.bucket, address.region, credentials.origin)
    return S3Store(bucket, address, place, local_folder(settings.scratch) / CACHE / address.bucket)


def _client(address: S3Address, credentials: CheckedProvider) -> Minio:
    # Connections must not be shared with a forked process.
    name = (os.getpid(), address.endpoint, address.region, credentials.origin)
    if name not in _CLIENTS:
        endpoint = urlsplit(address.endpoint)
        try:
            _CLIENTS[name] = Minio(
                endpoint.netloc,
                secure=endpoint.scheme == "https",
                region=address.region,
                credentials=credentials,
                http_client=PatientPool(),
            )
        except ValueError as error:
            raise UserError(f"the S3 endpoint {shown(address.endpoint)} cannot be used: {error}.") from None
    return _CLIENTS[name]
