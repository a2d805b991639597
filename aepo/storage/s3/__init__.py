"""The store of an S3 bucket (AWS, MinIO, SeaweedFS, ...), spoken to through the minio client."""

from aepo.storage.s3.connect import open_s3
from aepo.storage.s3.store import S3Store

__all__ = ["S3Store", "open_s3"]
