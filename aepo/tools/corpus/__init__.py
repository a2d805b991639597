"""Corpora: documents in, a sealed index of passages out.

`sources` finds documents, `html`, `text` and `rows` read them, `passages` cuts them, `index` writes and searches what
`build` puts together; `store` holds the passages, `words` says what counts as a word.
"""
