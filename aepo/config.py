"""The configuration: one tree of pydantic models, YAML presets, `a.b=c` settings.

Layers, later ones win: the row of the method in METHODS, the preset, the user's file, `--set`. Unknown keys are
refused with the nearest right one. A resolved configuration is complete: stages see nothing else.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from aepo.algorithms.conditions import idle
from aepo.algorithms.methods import METHODS, PARTS
from aepo.algorithms.parts import FIXED, OFFICIAL_CANDIDATES, Advantage, Exploration, Part, Regulariser, Surrogate
from aepo.environments.settings import EnvironmentSettings
from aepo.errors import UserError, brief, explain, shorten
from aepo.evaluation.settings import EvaluationSettings, GateSettings
from aepo.paths import user_path
from aepo.plain_yaml import parse_yaml, plain
from aepo.rollout.settings import RolloutSettings
from aepo.storage.settings import StorageSettings
from aepo.training.settings import ModelSettings, TrainingSettings, WarmStartSettings
from aepo.units import PLAIN, Threads

LARGEST = 100_000
"""Bytes of the largest file of settings."""
MOST_LINES = 8
"""Settings that one message is about."""
LONGEST_KEY = 100
"""Characters of an unknown key that are compared with the known ones."""
_ADVICE = {
    "string_type": "put it in quotes if it is meant as text",
    "string_pattern_mismatch": "use letters, digits, '.', '_' and '-', 63 at most, a letter or digit first",
    "tuple_type": "write a list, such as [heldout]",
}
"""What to do, where pydantic only says what is wrong; by its name of the error."""


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
    def _run_is_no_folder_of_the_store(self) -> Config:
        """`run` is not `champions`: in the store, that is the champions' folder."""
        if self.run == "champions":
            raise ValueError("run is 'champions', the folder of the champions in the store: choose another name")
        return self

    @model_validator(mode="after")
    def _no_setting_is_idle(self) -> Config:
        """A setting that has an effect only together with others is left as it is without them."""
        row = METHODS.get(self.method)
        for key, only in idle(self, (*PARTS, "training")):
            part, _, name = key.partition(".")
            value = getattr(getattr(self, part), name)
            usual = [type(getattr(self, part)).model_fields[name].default]
            if value not in usual + ([getattr(getattr(row, part), name)] if row and part in PARTS else []):
                raise ValueError(
                    f"{key} = {brief(value)} has no effect: it counts only where {only.where}; leave it out, or "
                    "change that"
                )
        return self

    @model_validator(mode="after")
    def _branches_have_room(self) -> Config:
        """`exploration.initial` leaves trajectories for branches, where `exploration.branching` is true."""
        rule = self.exploration
        if FIXED.holds(self) and rule.fixed_rollouts == rule.k > 1:
            raise ValueError(
                f"exploration.initial = {rule.initial:g} makes all {rule.k} trajectories global ones, so that none can "
                "branch: lower it, or set exploration.branching to false"
            )
        return self

    @model_validator(mode="after")
    def _statistic_is_known(self) -> Config:
        """`rollout.top_logprobs` is 0 or at least 10 where trajectories branch by the `official` statistic."""
        official = self.exploration.branching and self.exploration.statistic == "official"
        if official and 0 < self.rollout.top_logprobs < OFFICIAL_CANDIDATES:
            raise ValueError(
                f"exploration.statistic = official is made from the {OFFICIAL_CANDIDATES} most likely tokens, and "
                f"rollout.top_logprobs shows {self.rollout.top_logprobs}: raise it, or set it to 0"
            )
        return self

    @model_validator(mode="after")
    def _groups_can_differ(self) -> Config:
        """`exploration.k` is at least 2, unless `advantage.estimator` is `reinforce_plus_plus`, which knows no groups.

        Where `exploration.dynamic_sampling` is true, it is at least 2 for all.
        """
        if self.exploration.k > 1:
            return self
        if self.exploration.dynamic_sampling:
            raise ValueError(
                "exploration.dynamic_sampling looks for prompts whose rewards differ, and one trajectory differs from "
                "none: raise exploration.k, or set it to false"
            )
        if self.advantage.estimator != "reinforce_plus_plus":
            raise ValueError(
                f"exploration.k = 1, and advantage.estimator = {self.advantage.estimator} compares a prompt's "
                "trajectories with each other, so that nothing would be learned: raise exploration.k"
            )
        return self

    @model_validator(mode="after")
    def _branches_have_tools(self) -> Config:
        """`environment.max_tool_calls` is above 0 where `exploration.branching` is true."""
        if self.exploration.branching and self.environment.max_tool_calls == 0:
            raise ValueError(
                "exploration.branching is true, and environment.max_tool_calls is 0: trajectories branch after tool "
                "results only; allow tool calls, or set exploration.branching to false"
            )
        return self

    @model_validator(mode="after")
    def _trajectories_can_be_overlong(self) -> Config:
        """`advantage.overlong_tokens` is at most `rollout.context`."""
        full = self.advantage.overlong_tokens
        if full is not None and full > self.rollout.context:
            raise ValueError(
                f"advantage.overlong_tokens = {full} is beyond rollout.context = {self.rollout.context}: no trajectory "
                "is so long; lower it, or leave it null"
            )
        return self

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
        UserError: the source is missing, no YAML or no mapping, a key is unknown, a value is out of range.
    """
    tree = _read("quickstart" if source is None else source)
    layer: dict[str, Any] = {}
    for setting in settings:
        _merge(layer, _parse_setting(setting))
    _overlay(tree, layer)
    return resolve(tree)


def resolve(tree: Mapping[str, Any]) -> Config:
    """Validate a tree of settings on top of its method's row.

    Raises:
        UserError: see `load_config`.
    """
    tree = plain(tree, "config")
    method = tree.get("method", Config.model_fields["method"].default)
    if not isinstance(method, str) or method not in METHODS:
        raise UserError(f"method: {brief(method)} is unknown{_nearest(str(method), METHODS)}")
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


def _read(source: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    if source in above:
        raise UserError(
            f"config {shorten(source)} is its own preset, by way of {shorten(' and '.join(above))}: remove the circle."
        )
    where = f"config {shorten(source)}"
    tree = parse_yaml(_text(source), where)
    if tree is None:
        raise UserError(f"{where} is empty: write settings into it, such as `preset: quickstart`.")
    if not isinstance(tree, dict):
        raise UserError(f"{where} must be a mapping of settings (`seed: 1`), not {brief(tree)}.")
    base = tree.pop("preset", None)
    if base is None:
        return tree
    merged = _read(base if isinstance(base, str) else brief(base), (*above, source))
    _overlay(merged, tree)
    return merged


def _text(source: str) -> str:
    """The text of a preset or a file."""
    if source in presets():
        return (resources.files("aepo") / "presets" / f"{source}.yaml").read_text(encoding="utf-8")
    where, path = f"config {shorten(source) or repr(source)}", user_path(source)
    try:
        if source and path.is_dir():
            raise UserError(f"{where} is a folder: give the YAML file in it.")
        if not source or not path.exists():
            raise UserError(f"{where}: there is no such file and no such preset. Presets: {', '.join(presets())}.")
        with path.open("rb") as file:  # which may be a pipe
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UserError(f"{where} has more than {LARGEST} bytes, too many for settings: give a YAML file.")
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is no UTF-8 text (byte {error.start + 1}): save it as UTF-8.") from None
    except OSError as error:
        raise explain(error) or UserError(f"{where} cannot be read ({error}): give another file.") from None


def _parse_setting(setting: str) -> dict[str, Any]:
    key, separator, text = setting.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise UserError(f"--set {shorten(setting)}: write it as a.b=value.")
    value = parse_yaml(text, f"--set {shorten(setting)}")
    for part in reversed(parts):
        value = {part: value}
    return value


def _overlay(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    """Merge a layer. Where it changes the method, what is below it and as the old method has it goes."""
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
        field, name = model.model_fields.get(key), shorten(f"{prefix}{key}", 100)
        if field is None:
            raise UserError(f"config key {name} is unknown{_nearest_key(str(key), model)}")
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            if not isinstance(value, Mapping):
                raise UserError(
                    f"config key {name} is a section with the keys {', '.join(nested.model_fields)}; "
                    f"{brief(value)} is no section."
                )
            _check_keys(nested, value, f"{prefix}{key}.")
        elif isinstance(value, bool) and nested is not bool:
            raise UserError(f"config {name}: {brief(value)} is for switches; docs/configuration.md says what it takes.")


def _nearest_key(word: str, section: type[BaseModel]) -> str:
    """The nearest key of the section, or else one of that name elsewhere."""
    elsewhere = [key for key in _keys(Config) if key.rpartition(".")[2] == word]
    if elsewhere and not difflib.get_close_matches(word, section.model_fields, n=1):
        return f"; did you mean {' or '.join(elsewhere)}?"
    return _nearest(word, section.model_fields)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _nearest(word: str, choices: Iterable[str]) -> str:
    names = list(choices)
    close = difflib.get_close_matches(word[:LONGEST_KEY], names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; choose from {', '.join(names)}."


def _explain(error: ValidationError) -> str:
    """One line per setting that cannot be used, the first few."""
    found: dict[str, list[str]] = {}
    given: dict[str, str] = {}
    problems = error.errors(include_url=False)
    deeper = {problem["loc"][:end] for problem in problems for end in range(1, len(problem["loc"]))}
    for problem in problems:
        if problem["loc"] in deeper:
            continue
        where, message = _key_of(problem["loc"]), problem["msg"].removeprefix("Value error, ")
        if advice := _ADVICE.get(problem["type"]):
            message = f"{message}: {advice}"
        if problem["type"] != "value_error":  # ours says itself what the values are
            given[where] = f" (it is {brief(problem['input'])})"
        found.setdefault(where, []).append(message)
    lines = [
        f"config{f' {where}' if where else ''}: {shorten('; or: '.join(messages))}{given.get(where, '')}"
        for where, messages in found.items()
    ]
    rest = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *rest])


def _key_of(place: tuple[int | str, ...]) -> str:
    """The dotted key of a problem's place, in which pydantic also names the members of unions."""
    model: Any = Config
    found = []
    for part in place:
        field = model.model_fields.get(part) if model else None
        if field is not None or isinstance(part, int):
            found.append(str(part))
            nested = field.annotation if field else None
            model = nested if isinstance(nested, type) and issubclass(nested, BaseModel) else None
    return ".".join(found)
