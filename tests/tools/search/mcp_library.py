"""An MCP server with tools that search, for the tests; it speaks over standard input and output."""

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

server = MCPServer("library")
BOOKS = {"rivers": "All about rivers.", "lakes": "Lakes, and rivers that feed them."}


class Book(BaseModel):
    """A result as many servers give it."""

    id: str
    title: str
    link: str
    snippet: str


@server.tool()
def search(query: str, limit: int = 10) -> list[Book]:
    """Structured results."""
    found = [name for name, text in BOOKS.items() if query.lower() in text.lower()]
    return [Book(id=n, title=n.title(), link=f"https://b.org/{n}", snippet=BOOKS[n]) for n in found][:limit]


@server.tool()
def describe(q: str) -> str:
    """One text."""
    return f"Everything about {q}."


@server.tool()
def fail(query: str) -> str:
    """Fails."""
    raise ToolError(f"the shelf with {query} fell over")


if __name__ == "__main__":
    server.run()
