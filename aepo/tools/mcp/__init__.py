"""The tools of any MCP server (Model Context Protocol): a program that is run here, or an address.

`program` and `remote` speak to the two kinds of servers, `session` holds a conversation with one, `client` keeps one
conversation per event loop, and `tools` makes a Tool of each of the server's tools.
"""
