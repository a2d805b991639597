"""A process that shares a cache with others: `python cache_writer.py PATH SEED ROUNDS`; writes what it found wrong.

Every answer is a function of its key, so that whoever reads one can tell whether it is whole.
"""

import asyncio
import random
import sys
from pathlib import Path

from aepo.tools.base import Observation
from aepo.tools.calls.cache import CallCache


def answer(number):
    return Observation(f"{number} " * (1 + number % 300), "ok" if number % 3 else "error")


async def write(path, seed, rounds):
    notes, wrong = [], []
    cache = CallCache(Path(path), entries=40, size=60_000, note=notes.append)
    choose = random.Random(seed)

    async def one(number):
        key = f"{number:032d}".encode()
        found = await cache.get(key)
        if found not in (None, answer(number)):
            wrong.append((number, found))
        if found is None:
            await cache.put(key, answer(number))

    for index in range(rounds):
        await asyncio.gather(*(one(choose.randrange(80)) for _ in range(4)))
        if index % 10 == 9:
            await cache.aclose()
    await cache.aclose()
    return notes + wrong


if __name__ == "__main__":
    sys.stdout.write(repr(asyncio.run(write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
