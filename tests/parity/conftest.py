"""TRL's trainer as it is installed."""

import pytest

from benchmarks.losses import small_model, trl_trainer


@pytest.fixture
def trainer_of(tmp_path):
    """The trainer with these settings, by default on the smallest model, as a function."""

    def build(model=None, tokenizer=None, **settings):
        if model is None:
            model, tokenizer = small_model()
        return trl_trainer(str(tmp_path), model, tokenizer, **settings)

    return build
