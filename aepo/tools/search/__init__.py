"""The search tool and those who answer it.

`tool` shows to a policy what a backend (`base`) finds. Backends: `bm25` searches an index of one's own, `http` asks a
server of Search-R1's wire format (`wire`; `server` is one), `serper` and `brave` search the web, `mcp` asks a tool of
an MCP server, `replay` answers from a record. `opening` makes the one that the `settings` name.
"""
