"""Random configurations: valid ones with some values changed, and trees, texts and settings that were never valid."""

import json

import yaml
from hypothesis import strategies as st
from pydantic import BaseModel

from aepo.algorithms.methods import METHODS
from aepo.config import Config, load_config, presets

FIELDS = {
    f"{section}.{name}" if section else name
    for section, model in [("", Config), *((name, field.annotation) for name, field in Config.model_fields.items())]
    if isinstance(model, type) and issubclass(model, BaseModel)
    for name in model.model_fields
}
PRESETS = {name: load_config(name).model_dump(mode="json") for name in presets()}
HUGE = 10**4000
"""As large as hypothesis, which must write it out, can have it."""

texts = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(), max_size=20),  # half surrogate pairs too
    st.sampled_from(
        ["", "\0", "\ud800", "é" * 500, "x" * 5000, "off", "1e-4", "~", "2024-01-01", "null", "0x1f", "1:30"]
    ),
    st.sampled_from([*METHODS, *presets(), "lookup", "math", "qa", "../..", "gs://bucket", "s3://", "/dev/null"]),
)
numbers = st.one_of(
    st.integers(-3, 300),
    st.integers(),
    st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63), 10**40, HUGE, -HUGE]),
    st.floats(),
    st.sampled_from([-0.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf")]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
keys = st.one_of(texts, st.sampled_from(sorted({part for name in FIELDS for part in name.split(".")})))
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(keys, st.integers(), st.none()), inner, max_size=4)
    ),
    max_leaves=8,
)


def nest(value, depth):
    for _ in range(depth):
        value = [value]
    return value


trees = st.one_of(
    st.dictionaries(keys, anything, max_size=5),
    st.dictionaries(
        st.sampled_from(sorted(Config.model_fields)), st.dictionaries(keys, scalars, max_size=3), max_size=4
    ),
    st.builds(lambda value, depth: {"seed": nest(value, depth)}, scalars, st.integers(0, 60)),
)


@st.composite
def changed_presets(draw):
    """A valid tree, of which one to three values are replaced by something, often of the same type."""
    tree = json.loads(json.dumps(draw(st.sampled_from(sorted(PRESETS.values(), key=str)))))
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3)):
        section, _, key = name.rpartition(".")
        place = tree[section] if section else tree
        if isinstance(place, dict):
            place[key] = draw(_near(place.get(key)))
    return tree


def _near(value):
    """A value like another one, or any."""
    if isinstance(value, bool):
        return st.one_of(st.booleans(), anything)
    if isinstance(value, int):
        return st.one_of(st.integers(0, 64), st.integers(), anything)
    if isinstance(value, float):
        return st.one_of(st.floats(0, 1), st.floats(), anything)
    return st.one_of(texts, st.none(), anything)


def written(tree):
    """A tree as YAML, if it can be written."""
    try:
        return yaml.safe_dump(tree)
    except (ValueError, yaml.YAMLError):  # half surrogates, huge numbers
        return repr(tree)


marks = st.text("{}[]:-&*!|>%@`'\"#,?~.<=+ \n\t\\a1ek\0é", max_size=40)
presets_as_text = st.sampled_from([yaml.safe_dump(tree) for tree in PRESETS.values()])


@st.composite
def mangled(draw):
    """The text of a preset with something cut out and something put in."""
    text = draw(presets_as_text)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 40)))
    return text[:start] + draw(st.one_of(marks, texts)) + text[end:]


files = st.one_of(
    st.binary(max_size=60),
    st.one_of(marks, texts, trees.map(written), changed_presets().map(written), mangled()).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
)
settings_texts = st.builds(
    lambda key, separator, value: f"{key}{separator}{value}",
    st.one_of(st.sampled_from(sorted(FIELDS)), st.lists(keys, max_size=3).map(".".join)),
    st.sampled_from(["=", "=", "=", "", ":", "=="]),
    st.one_of(marks, texts, scalars.map(written)),
)
