"""The configuration: one tree of pydantic models, YAML presets, `a.b=c` settings.

Layers, later ones win: the row of the method in METHODS, the preset, the user's file, `--set`. Unknown keys are
refused with the nearest right one. A resolved configuration is complete: stages see nothing else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from aepo.algorithms.methods import METHODS, PARTS, Advantage, Exploration, Part, Regulariser, Surrogate
from aepo.environments.settings import EnvironmentSettings
from aepo.errors import UserError
from aepo.evaluation.settings import EvaluationSettings, GateSettings
from aepo.rollout.settings import RolloutSettings
from aepo.storage.settings import StorageSettings
from aepo.training.settings import ModelSettings, TrainingSettings, WarmStartSettings
from aepo.units import PLAIN, Threads


class ComputeSettings(Part):
    """What a stage may use of its machine."""

    threads: Threads = Field(0, ge=0, description="threads of torch in one process; 0 = torch's own choice")


class Config(Part):
    """Everything a run depends on."""

    run: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="name of the run")
    seed: Annotated[int, PLAIN] = Field(0, ge=0, lt=2**63, description="every random choice derives from it")
    method: str = Field(
        "aepo", description="row of METHODS, whose four parts are the defaults of the sections of their names"
    )
    exploration: Exploration = Exploration()
    advantage: Advantage = Advantage()
    surrogate: Surrogate = Surrogate()
    regulariser: Regulariser = Regulariser()
    environment: EnvironmentSettings = EnvironmentSettings()
    model: ModelSettings = ModelSettings()
    warm_start: WarmStartSettings = WarmStartSettings()
    rollout: RolloutSettings = RolloutSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    gate: GateSettings = GateSettings()
    storage: StorageSettings = StorageSettings()
    compute: ComputeSettings = ComputeSettings()

    @model_validator(mode="after")
    def _trees_fit_the_engine(self) -> Config:
        """`rollout.slots` is at least `exploration.k` and `evaluation.samples`: a tree is resident whole."""
        if self.rollout.slots < self.exploration.k:
            raise ValueError(
                f"rollout.slots is {self.rollout.slots}, fewer than exploration.k = {self.exploration.k}: "
                "a tree's trajectories must be resident together; raise rollout.slots"
            )
        if self.rollout.slots < self.evaluation.samples:
            raise ValueError(
                f"rollout.slots is {self.rollout.slots}, fewer than evaluation.samples = {self.evaluation.samples}: "
                "the samples of a question must be resident together; raise rollout.slots"
            )
        return self

    @model_validator(mode="after")
    def _importance_needs_plain_sampling(self) -> Config:
        """`training.importance` is `off` unless `rollout.temperature` and `rollout.top_p` are both 1."""
        plain = self.rollout.temperature == 1 and self.rollout.top_p == 1
        if self.training.importance != "off" and not plain:
            raise ValueError(
                "training.importance corrects log-probs sampled at temperature 1 and top-p 1 only; with "
                f"rollout.temperature = {self.rollout.temperature} and rollout.top_p = {self.rollout.top_p} "
                "set training.importance to off"
            )
        return self

    @model_validator(mode="after")
    def _positives_are_told_apart(self) -> Config:
        """`regulariser.positive_threshold` is set where positives are chosen by reward and rewards are graded: in `qa`,
        and with `environment.tool_bonus`.
        """
        graded = self.environment.name == "qa" or self.environment.tool_bonus
        regulariser = self.regulariser
        by_reward = regulariser.function == "auxiliary" and regulariser.positive == "reward"
        if graded and by_reward and regulariser.positive_threshold is None:
            raise ValueError(
                "regulariser.positive_threshold must say which rewards count as positive: this environment's "
                "rewards are not only −1, 0 and 1"
            )
        return self

    @property
    def total_steps(self) -> int:
        """Rollout steps of the whole run: one staged batch and the online steps of every iteration."""
        return self.training.iterations * (1 + self.training.online_steps)


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    folder = resources.files("aepo") / "presets"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def load_config(source: str | None = None, settings: Iterable[str] = ()) -> Config:
    """Resolve a configuration.

    Args:
        source: name of a preset, path of a YAML file (which may name a preset under `preset:`), or None for
            the quickstart.
        settings: `a.b=value` strings; values are YAML.

    Raises:
        UserError: the source is missing or no mapping, a key is unknown, a value is out of range.
    """
    tree = _read(source or "quickstart")
    for setting in settings:
        _overlay(tree, _parse_setting(setting))
    return resolve(tree)


def resolve(tree: Mapping[str, Any]) -> Config:
    """Validate a tree of settings on top of its method's row.

    Raises:
        UserError: see `load_config`.
    """
    method = tree.get("method", Config.model_fields["method"].default)
    if not isinstance(method, str) or method not in METHODS:
        raise UserError(f"method: {method!r} is unknown{_nearest(str(method), METHODS)}.")
    row = METHODS[method].model_dump(mode="json", include=set(PARTS))
    _check_keys(Config, tree)
    _merge(row, tree)
    try:
        return Config.model_validate(row)
    except ValidationError as error:
        raise UserError(_explain(error)) from None


def to_yaml(config: Config) -> str:
    """The resolved configuration as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


class _Loader(yaml.SafeLoader):
    """Plain YAML whose words are text: `off`, `no` and dates too, which PyYAML reads as YAML 1.1 did."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _load_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader


def _read(source: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    if source in above:
        raise UserError(f"config {source} is its own preset, by way of {' and '.join(above)}: remove the circle.")
    path = Path(source)
    if source in presets():
        text = (resources.files("aepo") / "presets" / f"{source}.yaml").read_text(encoding="utf-8")
    elif path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"config {source} cannot be read as text: {error}") from None
    else:
        raise UserError(f"config {source}: there is no such file and no such preset. Presets: {', '.join(presets())}.")
    try:
        tree = _load_yaml(text) or {}
    except yaml.YAMLError as error:
        raise UserError(f"config {source} is no valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise UserError(f"config {source} must be a mapping of settings, not {type(tree).__name__}.")
    base = tree.pop("preset", None)
    if base is None:
        return tree
    merged = _read(str(base), (*above, source))
    _overlay(merged, tree)
    return merged


def _parse_setting(setting: str) -> dict[str, Any]:
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise UserError(f"--set {setting}: write it as a.b=value.")
    try:
        value = _load_yaml(text)
    except yaml.YAMLError:
        raise UserError(f"--set {setting}: the value is no valid YAML; quote it.") from None
    for part in reversed(key.strip().split(".")):
        value = {part: value}
    return value


def _overlay(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    """Merge a layer. Where it changes the method, the old method's own settings go, and other ones stay."""
    old, new = METHODS.get(str(base.get("method"))), top.get("method")
    if old is not None and new not in (None, old.id):
        for part in PARTS:
            defaults = getattr(old, part).model_dump(mode="json")
            if isinstance(settings := base.get(part), dict):
                base[part] = {key: value for key, value in settings.items() if value != defaults.get(key, ...)}
    _merge(base, top)


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value


def _check_keys(model: type[BaseModel], tree: Mapping[str, Any], prefix: str = "") -> None:
    for key, value in tree.items():
        field = model.model_fields.get(key)
        if field is None:
            raise UserError(f"config key {prefix}{key} is unknown{_nearest(str(key), model.model_fields)}.")
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            if not isinstance(value, Mapping):
                raise UserError(
                    f"config key {prefix}{key} is a section with the keys {', '.join(nested.model_fields)}; "
                    f"{value!r} is no section."
                )
            _check_keys(nested, value, f"{prefix}{key}.")


def _nearest(word: str, choices: Iterable[str]) -> str:
    names = list(choices)
    close = difflib.get_close_matches(word, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; choose from {', '.join(names)}"


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"] if not str(part).startswith(("function-", "literal")))
        message = problem["msg"].removeprefix("Value error, ")
        given = f" (it is {problem['input']!r})" if where and not isinstance(problem["input"], dict) else ""
        lines.append(f"config {where}: {message}{given}" if where else f"config: {message}")
    return "\n".join(lines)
