"""A place to explore without a model: an engine that says what it is told to, and one tool.

`from tests.rollout.scripted import grow`, with pytest run from the repository.
"""

import asyncio
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace

from aepo.environments.base import Prompt
from aepo.environments.protocols.tags import TagProtocol
from aepo.rollout.codec import Passage
from aepo.rollout.engine import Generation, Sampling
from aepo.rollout.explorer import Explorer, Growth, Task
from aepo.scoring.base import Score
from aepo.tools.base import Observation, ToolError, text_parameter


class Letters:
    """A codec of one token per character."""

    eos_id = None
    controls = MappingProxyType({})
    tokenizer = SimpleNamespace(chat_template=None)

    def encode(self, text):
        return tuple(map(ord, text))

    def encode_foreign(self, text, guard):
        harmless = guard.defuse(text)
        return Passage(self.encode(harmless), harmless)

    encode_prompt = encode_foreign

    def decode(self, token_ids):
        return "".join(map(chr, token_ids))

    def decode_marked(self, token_ids, marks):
        return self.decode(token_ids), frozenset()


@dataclass
class Script:
    """An engine that says what `speak(prefix text, key)` tells it, after a wait that `delay` decides.

    The head of a turn is `entropy(prefix text, key)` for every token.
    """

    speak: object
    delay: object = lambda key: 0
    entropy: object = lambda prefix, key: 1.0
    capacity: int = 64
    log: list = field(default_factory=list)
    restored: list = field(default_factory=list)
    released: list = field(default_factory=list)

    async def generate(self, prefix, sampling, *, tree="", on_head=None):
        before = Letters().decode(prefix)
        text = self.speak(before, sampling.key)
        self.log.append(sampling.key)
        entropies = (float(self.entropy(before, sampling.key)),) * len(text)
        for _ in range(self.delay(sampling.key)):
            await asyncio.sleep(0)
        on_head(entropies[: sampling.head_tokens])
        for _ in range(self.delay((*sampling.key, "rest"))):
            await asyncio.sleep(0)
        return Generation(Letters().encode(text), (-1.0,) * len(text), entropies, "stop")

    async def restore(self, tree, runs):
        self.restored.append(runs)

    def release(self, tree):
        self.released.append(tree)


RAISED = {
    "key": KeyError("x"),
    "value": ValueError("this is no number"),
    "exit": SystemExit(1),
    "cancelled": asyncio.CancelledError(),
    "time": TimeoutError(),
}


class Echo:
    """Answers with the number of calls before; some arguments break it or make it slow."""

    name = "look"
    description = "Answers with the number of calls before."
    parameters = text_parameter("what", "anything")

    async def call(self, arguments, context):
        if arguments == "break":
            raise ToolError("the network is down")
        if arguments in RAISED:
            raise RAISED[arguments]
        if arguments == "nothing":
            return None
        if arguments.startswith("wait"):
            for _ in range(int(arguments.removeprefix("wait"))):
                await asyncio.sleep(0)
        return Observation(f"{len(context.history)}")


class Place:
    """A task with one tool; answering `yes` is right."""

    name = "place"
    protocol = TagProtocol({"look": Echo()}, result="[{}]")
    tool_bonus = False
    blocks = False

    def __init__(self, max_tool_calls=4):
        self.tools = {"look": Echo()}
        self.max_tool_calls = max_tool_calls

    def score(self, prompt, trajectory):
        return Score.of(float(trajectory.answer == "yes"))


def depth(prefix):
    """Tool results in a prefix of `Place`."""
    return prefix.count("[")


def calls_then_answers(calls):
    """Look `calls` times, then answer."""

    def speak(prefix, key):
        return "<look>x</look>" if depth(prefix) < calls else "<answer>yes</answer>"

    return speak


def task(script, exploration, *, context=400, max_tool_calls=4, **options):
    """What it takes to explore with a script under a rule."""
    sampling = Sampling(
        key=(),
        max_tokens=50,
        head_tokens=exploration.entropy_tokens,
        statistic=exploration.statistic,
    )
    return Task(script, Letters(), Place(max_tool_calls), exploration, sampling, context=context, **options)


def grow(script, exploration, *, k, m, first=None, tool_scale=1.0, prompt="p0", branching=True, **options):
    """The tree of one prompt."""
    growth = Growth((0, 0, prompt, "main"), k=k, m=m, tool_scale=tool_scale, branching=branching, first=first)
    question = Prompt(prompt, "question?", ("yes",))
    return asyncio.run(Explorer(task(script, exploration, **options), question, growth).grow())
