"""Token entropy: exact where the whole distribution is known, between bounds where only its top is."""

import itertools
import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from aepo.algorithms.entropy import official_entropy, token_entropy, top_logprob_entropy
from tests.algorithms import golden


@st.composite
def distributions(draw):
    """Probabilities of a vocabulary of 2 to 40, from flat to nearly certain, most likely first."""
    size = draw(st.integers(2, 40))
    logits = draw(st.lists(st.floats(-1, 1), min_size=size, max_size=size))
    sharpness = draw(st.sampled_from([0.0, 0.5, 3.0, 30.0]))
    return (sharpness * torch.tensor(logits, dtype=torch.float64)).log_softmax(-1).sort(descending=True).values


def by_definition(logprobs):
    return math.fsum(-math.exp(value) * value for value in logprobs.tolist() if value > -math.inf)


def is_clear_cut(logprobs, among):
    """Whether the `among` likeliest tokens are certain ones: no tie decides about the last of them."""
    return among >= len(logprobs) or logprobs[among - 1] > logprobs[among]


class TestExact:
    @given(distributions())
    def test_it_is_the_definition(self, logprobs):
        assert token_entropy(logprobs).item() == pytest.approx(by_definition(logprobs), rel=1e-12, abs=1e-15)

    @pytest.mark.parametrize("size", [2, 7, 152_000])
    def test_knowing_nothing_is_the_logarithm_of_the_vocabulary(self, size):
        assert token_entropy(torch.zeros(size).double().log_softmax(-1)).item() == pytest.approx(math.log(size))

    def test_impossible_tokens_count_nothing(self):
        logprobs = golden.tensor([math.log(0.5), -math.inf, math.log(0.5)], [0.0, -math.inf, -math.inf])
        assert token_entropy(logprobs).tolist() == pytest.approx([math.log(2), 0.0])

    def test_its_gradient_is_the_derivative_of_its_value(self):
        logits = golden.tensor([0.3, -1.0, 2.0, 0.1], [0.0, 0.5, -0.5, 4.0]).requires_grad_()
        assert torch.autograd.gradcheck(lambda values: token_entropy(values.log_softmax(-1)), (logits,))


class TestBounds:
    @given(distributions(), st.data())
    def test_the_truth_lies_between_them(self, logprobs, data):
        known = data.draw(st.integers(1, len(logprobs)), label="known")
        lower, upper = top_logprob_entropy(logprobs[:known], len(logprobs))
        truth = by_definition(logprobs)
        assert lower.item() <= truth + 1e-9
        assert truth <= upper.item() + 1e-9

    @given(distributions())
    def test_knowing_all_tokens_or_all_but_one_leaves_no_doubt(self, logprobs):
        for missing in (0, 1):
            bounds = top_logprob_entropy(logprobs[: len(logprobs) - missing], len(logprobs))
            assert [bound.item() for bound in bounds] == pytest.approx([by_definition(logprobs)] * 2, abs=1e-9)

    @given(distributions())
    def test_each_further_token_narrows_them(self, logprobs):
        bounds = [top_logprob_entropy(logprobs[:known], len(logprobs)) for known in range(1, len(logprobs) + 1)]
        for (lower, upper), (next_lower, next_upper) in itertools.pairwise(bounds):
            assert next_lower.item() >= lower.item() - 1e-9
            assert next_upper.item() <= upper.item() + 1e-9

    def test_by_hand(self):
        """p = .5, .2 of a vocabulary of 10: q = .3 goes on one and a half tokens of .2, or evenly on 8."""
        body = -0.5 * math.log(0.5) - 0.2 * math.log(0.2)
        lower, upper = top_logprob_entropy(golden.tensor(0.5, 0.2).log(), 10)
        assert lower.item() == pytest.approx(body - 0.3 * math.log(0.2))
        assert upper.item() == pytest.approx(body - 0.3 * math.log(0.3 / 8))

    def test_the_upper_one_is_reached_by_an_even_rest(self):
        logprobs = golden.tensor(0.4, 0.3, *[0.3 / 50] * 50).log()
        _, upper = top_logprob_entropy(logprobs[:2], 52)
        assert upper.item() == pytest.approx(by_definition(logprobs), rel=1e-12)

    def test_a_certain_token_has_no_entropy_whatever_the_vocabulary(self):
        lower, upper = top_logprob_entropy(golden.tensor(0.0, -800.0), 152_000)
        assert (lower.item(), upper.item()) == (0, 0)

    def test_every_token_of_a_batch_gets_its_own(self):
        logprobs = golden.tensor([0.5, 0.2], [0.9, 0.05]).log()
        together = top_logprob_entropy(logprobs, 10)
        alone = [top_logprob_entropy(row, 10) for row in logprobs]
        for side in (0, 1):
            assert together[side].tolist() == pytest.approx([bounds[side].item() for bounds in alone])

    def test_more_tokens_than_the_vocabulary_are_refused(self):
        with pytest.raises(ValueError, match="3 log-probs for a vocabulary of 2"):
            top_logprob_entropy(golden.tensor(0.5, 0.3, 0.2).log(), 2)


class TestOfficial:
    """The published code's statistic: the likeliest tokens and the sampled one, divided by log |V|."""

    @given(distributions(), st.data())
    def test_it_is_the_definition(self, logprobs, data):
        sampled = data.draw(st.integers(0, len(logprobs) - 1), label="sampled")
        among = data.draw(st.integers(1, 12), label="most likely")
        assume(is_clear_cut(logprobs, among))
        chosen = {*range(min(among, len(logprobs))), sampled}  # distributions come most likely first
        expected = by_definition(logprobs[sorted(chosen)]) / math.log(len(logprobs))
        found = official_entropy(logprobs, torch.tensor(sampled), among).item()
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)

    @given(distributions(), st.data())
    def test_where_tokens_stand_in_the_vocabulary_is_irrelevant(self, logprobs, data):
        assume(is_clear_cut(logprobs, 3))
        order = torch.tensor(data.draw(st.permutations(range(len(logprobs)))))
        sampled = torch.tensor(data.draw(st.integers(0, len(logprobs) - 1)))
        place = torch.nonzero(order == sampled)[0, 0]
        here, there = official_entropy(logprobs, sampled, 3), official_entropy(logprobs[order], place, 3)
        assert here.item() == pytest.approx(there.item(), rel=1e-12, abs=1e-15)

    @given(distributions())
    def test_a_small_vocabulary_is_looked_at_wholly(self, logprobs):
        found = official_entropy(logprobs, torch.tensor(0), 40)
        torch.testing.assert_close(found, token_entropy(logprobs) / math.log(len(logprobs)))

    def test_by_hand(self):
        """p = .6, .3, .1: one likely token and the sampled last one, of a vocabulary of 3."""
        found = official_entropy(golden.tensor([0.3, 0.6, 0.1]).log(), torch.tensor([2]), 1)
        expected = -(0.6 * math.log(0.6) + 0.1 * math.log(0.1)) / math.log(3)
        assert found.tolist() == pytest.approx([expected])

    def test_every_token_of_a_batch_gets_its_own(self):
        logprobs = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0)).double().log_softmax(-1)
        tokens = torch.arange(6).reshape(2, 3)
        together = official_entropy(logprobs, tokens)
        alone = [[official_entropy(logprobs[i, j], tokens[i, j]).item() for j in range(3)] for i in range(2)]
        torch.testing.assert_close(together, torch.tensor(alone, dtype=torch.float64))

    def test_impossible_tokens_count_nothing(self):
        logprobs = golden.tensor([0.0, -math.inf, -math.inf])
        assert official_entropy(logprobs, torch.tensor([0])).tolist() == [0.0]
