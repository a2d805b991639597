"""How a component becomes a task of our pipelines."""

from typing import Any

from kfp import dsl, kubernetes

STORAGE_SECRET = "mlpipeline-minio-artifact"  # noqa: S105  the name of a secret, which Kubeflow Pipelines makes
"""The Kubernetes secret with the object store's keys, unless the pipeline's parameter names another."""

STORAGE_KEYS = {"accesskey": "AWS_ACCESS_KEY_ID", "secretkey": "AWS_SECRET_ACCESS_KEY"}
"""Key in the secret → environment variable in which a stage finds it."""

POD_LABEL = ("app.kubernetes.io/part-of", "aepo")
"""What the network policies of manifests/base select the pods of stages by."""


def stage_task(component: Any, storage_secret: Any, **arguments: Any) -> dsl.PipelineTask:
    """A task that always runs, with the object store's keys, as no root.

    Kubeflow's cache knows a step's parameters, inputs and image. Our stages also draw samples, read files of
    the user's and write to the store, so that a cached result would be another run's. The keys are optional: a
    store that is a folder needs none. Kubeflow's local runner ignores what concerns the pod.

    Args:
        component: the stage's component.
        storage_secret: the pipeline's parameter that names the secret with the keys.
        arguments: inputs of the component.
    """
    task: dsl.PipelineTask = component(**arguments).set_caching_options(enable_caching=False)
    kubernetes.use_secret_as_env(task, storage_secret, STORAGE_KEYS, optional=True)
    kubernetes.add_pod_label(task, *POD_LABEL)
    return kubernetes.set_security_context(task, run_as_non_root=True)
