"""A process that serves an index, for the tests: serve_rivers.py INDEX; prints its address once it listens."""

import sys
from pathlib import Path

from aepo.tools.corpus.index import Index
from aepo.tools.search.bm25 import Bm25Backend
from aepo.tools.search.server import serve


def announce(url):
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(Bm25Backend(Index.open(Path(sys.argv[1]))), port=0, k=2, announce=announce)
