"""Which store a run uses. Credentials are no settings: they come from the environment or a mounted secret."""

from __future__ import annotations

from pydantic import Field

from aepo.algorithms.parts import Part


class StorageSettings(Part):
    """Where a run's weights, checkpoints, pointers and reports live."""

    root: str = Field("runs", min_length=1, description="folder, file:// or s3://bucket/prefix that holds all runs")
    endpoint: str | None = Field(
        None, description="s3: address of the store, such as http://minio:9000; null = AWS_ENDPOINT_URL, else AWS"
    )
    region: str | None = Field(None, description="s3: region of the bucket; null = AWS_REGION, else us-east-1")
    secret: str | None = Field(
        None, description="s3: folder of a mounted secret with the files accesskey and secretkey; null = environment"
    )
    scratch: str = Field(
        "runs", min_length=1, description="s3: folder on this machine for event logs, artifacts and cached weights"
    )
