"""An MCP server written with the installed package: run as a script over stdio, or served over HTTP by a test."""

import os

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import BlobResourceContents, EmbeddedResource, ResourceLink, TextContent, TextResourceContents

server = MCPServer("test server", version="7")


@server.tool()
def echo(text: str) -> str:
    """Says it again."""
    return text


@server.tool(title="Adds numbers")
def add(a: int, b: int = 1) -> int:
    return a + b


@server.tool("odd.name-x")
def odd(text: str) -> str:
    return f"odd {text}"


@server.tool()
def fail(text: str) -> str:
    raise ToolError(f"{text} is wrong")


@server.tool()
def process() -> list[int]:
    return [os.getpid()]


@server.tool()
def variable(name: str) -> str:
    return os.environ.get(name, "not set")


@server.tool()
async def rest(seconds: float) -> str:
    import anyio

    await anyio.sleep(seconds)
    return "rested"


@server.tool()
def long(characters: int) -> str:
    return "x" * characters


@server.tool(structured_output=False)
def everything() -> list:
    return [
        TextContent(text="some text"),
        Image(data=b"123", format="png"),
        ResourceLink(name="a link", uri="file:///a"),
        EmbeddedResource(resource=TextResourceContents(uri="file:///b", text="embedded")),
        EmbeddedResource(resource=BlobResourceContents(uri="file:///c", blob="AAAA", mime_type="a/b")),
    ]


if __name__ == "__main__":
    server.run("stdio")
