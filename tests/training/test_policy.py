"""Loading a model: what is supported is loaded, what is not is refused by name."""

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from aepo.environments.lookup.tokenizer import build_tokenizer
from aepo.errors import UserError
from aepo.training.model_folder import load_policy
from aepo.training.policy import build_policy
from aepo.training.settings import ModelSettings


def test_a_built_policy_is_a_normal_hugging_face_model(tmp_path):
    model, tokenizer = build_policy(ModelSettings(hidden_size=16, heads=2), context=32, seed=0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, words = load_policy(tmp_path)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), again.parameters(), strict=True))
    assert words("sum age of n3 and 17 ?").input_ids == tokenizer("sum age of n3 and 17 ?").input_ids


def test_the_seed_decides_the_weights():
    one, two, other = (
        build_policy(ModelSettings(hidden_size=16, heads=2), context=32, seed=seed)[0].get_input_embeddings().weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("window", [8, None])
def test_a_sliding_window_is_refused_and_none_is_not(tmp_path, window):
    config = MistralConfig(
        vocab_size=73,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=window,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    build_tokenizer().save_pretrained(tmp_path)
    if window is None:
        assert load_policy(tmp_path)
    else:
        with pytest.raises(UserError, match="sliding window"):
            load_policy(tmp_path)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no config\.json"):
        load_policy(tmp_path)
    build_policy(ModelSettings(hidden_size=16, heads=2), context=32, seed=0)[0].save_pretrained(tmp_path)
    with pytest.raises(UserError, match="no usable tokenizer"):
        load_policy(tmp_path)
