"""The configuration: one tree of pydantic models, YAML presets, `a.b=c` settings.

Layers, later ones win: the row of the method in METHODS, the preset, the user's file, `--set`. Unknown keys are
refused with the nearest right one. A resolved configuration is complete: stages see nothing else.
"""

from aepo.config.layers import load_config, presets, resolve, to_yaml
from aepo.config.model import Config

__all__ = ["Config", "load_config", "presets", "resolve", "to_yaml"]
