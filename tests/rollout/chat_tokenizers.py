"""Real tokenizers, trained here on a few lines, and a chat template of the form that Qwen's have.

`from tests.rollout.chat_tokenizers import TOKENIZERS`
"""

import copy
import json
from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from aepo.environments.lookup.tokenizer import build_tokenizer

TEXTS = [
    'Let me search: <search>capital of Peru</search> <tool_call> {"name": "search", "arguments": {"query": "x"}}',
    "<result>It is Lima.</result>\n<answer>\\boxed{Lima}</answer> <think> hello world </think> user assistant system",
    "你好 é ü 😀 naïve façade ＜search＞ 12 34 567 print('a < b')\n\n  def f(x):\n    return x",
] * 4
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CALL_TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
CHAT_TEMPLATE = """
{%- macro turn(role, text) %}{{ '<|im_start|>' + role + '\n' + text + '<|im_end|>\n' }}{% endmacro %}
{%- set told = messages[0].content if messages[0].role == 'system' else 'You help.' %}
{%- if tools %}
    {%- set ns = namespace(lines='') %}
    {%- for tool in tools %}{% set ns.lines = ns.lines + '\n' + (tool | tojson) %}{% endfor %}
    {%- set told = told + '\n\n# Functions\n<tools>' + ns.lines + '\n</tools>\nCall one so:\n<tool_call>\n'
        + '{"name": <its name>, "arguments": <an object>}\n</tool_call>' %}
{%- endif %}
{{- turn('system', told) }}
{%- for message in messages if message.role != 'system' %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user' if loop.previtem is not defined or loop.previtem.role != 'tool' }}
        {{- '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
        {{- '<|im_end|>\n' if loop.nextitem is not defined or loop.nextitem.role != 'tool' }}
    {%- elif message.tool_calls %}
        {%- set ns = namespace(text=message.content) %}
        {%- for call in message.tool_calls %}
            {%- set ns.text = ns.text + '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": '
                + (call.function.arguments | tojson) + '}\n</tool_call>' %}
        {%- endfor %}
        {{- turn('assistant', ns.text) }}
    {%- else %}
        {%- set text = message.content %}
        {%- if message.role == 'assistant' and not loop.last %}{% set text = text.split('</think>')[-1] %}{% endif %}
        {{- turn(message.role, text) }}
    {%- endif %}
{%- endfor %}
{{- '<|im_start|>assistant\n' if add_generation_prompt }}
"""
"""It tells of tools, joins the results of one turn, and drops thoughts of earlier turns."""


@cache
def byte_level(*tags, normalizer=None, normalized=False, size=500):
    """Byte-level BPE; `tags` are tokens of their own, which the normalizer reaches where `normalized` is true."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = {"NFC": normalizers.NFC, "NFKC": normalizers.NFKC, "folding": _folding}[normalizer]()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
    tokenizer.add_tokens([AddedToken(tag, normalized=normalized) for tag in tags])
    return _loaded(tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def _folding():
    """What the most lenient tokenizers do to a text."""
    return normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.BertNormalizer(lowercase=True), normalizers.NFKC()]
    )


@cache
def metaspace():
    """Pieces with ▁ for spaces, one of which is put before every text, and bytes for what has no piece."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"]
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    )
    trained = json.loads(tokenizer.to_str())["model"]
    for byte in BYTES:
        trained["vocab"].setdefault(byte, len(trained["vocab"]))
    merges = [tuple(merge) for merge in trained["merges"]]
    tokenizer.model = models.BPE(trained["vocab"], merges, byte_fallback=True, unk_token="<unk>")
    return _loaded(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@cache
def unigram():
    """A Unigram model whose vocabulary holds control pieces and bytes, so that plain text can spell them."""
    pieces = ["<pad>", "</s>", "<unk>", *BYTES, "▁", *"abcdefghijklmnopqrstuvwxyz</>=|_"]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(len(piece) < 2) * 4) for piece in pieces], 2, True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return _loaded(tokenizer, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


def replacing(old, new, *, text=TEXTS[0]):
    """Byte-level BPE, with tokens as long as `text` makes them, whose normalizer replaces one character by another."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(old, new)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False))
    return _loaded(tokenizer)


def _loaded(tokenizer, **special):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **special)


def chat(*, tokenizer=None, template=CHAT_TEMPLATE):
    """A byte-level tokenizer with call tags of its own and a chat template."""
    tokenizer = copy.deepcopy(tokenizer or byte_level(*CALL_TAGS, normalizer="NFC"))
    tokenizer.chat_template = template
    return tokenizer


TOKENIZERS = {
    "bytes": byte_level,
    "bytes with tags": lambda: byte_level(*CALL_TAGS, "<search>", "</search>", "<result>", "</result>"),
    "bytes, NFC": lambda: byte_level(*CALL_TAGS, normalizer="NFC"),
    "bytes, NFKC": lambda: byte_level(*CALL_TAGS, "</result>", normalizer="NFKC", normalized=True),
    "bytes, folding": lambda: byte_level(*CALL_TAGS, normalizer="folding", normalized=True),
    "metaspace": metaspace,
    "unigram": unigram,
    "lookup": build_tokenizer,
}
"""Name → what builds it."""
