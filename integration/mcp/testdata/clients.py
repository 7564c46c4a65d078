"""Calls an MCP server through Python clients as agents use them, without a model.

Reads {"url", "clients": {name: token}, "steps": [{"tool", "arguments"} or {"get": url}]} from standard input and prints, for each
client, the names of the tools that it would give to a model and, for each call, the text that the model would get to read.
"""

import asyncio
import json
import sys
import urllib.request


async def calls(job):
    """Yields the calls, and does in between what the other steps ask for."""
    for step in job["steps"]:
        if "get" in step:
            await asyncio.to_thread(lambda: urllib.request.urlopen(step["get"] + job["client"]).read())
        else:
            yield step


async def official(job):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(job["url"], headers=job["headers"]) as (read, write, _):
        async with ClientSession(read, write) as session:
            opened = await session.initialize()
            tools = (await session.list_tools()).tools
            texts = []
            async for c in calls(job):
                r = await session.call_tool(c["tool"], c["arguments"])
                texts.append("".join(x.text for x in r.content))
            return {"tools": [t.name for t in tools], "texts": texts, "revision": opened.protocolVersion}


async def langchain(job):
    from langchain_core.tools import ToolException
    from langchain_mcp_adapters.client import MultiServerMCPClient

    client = MultiServerMCPClient({"behalf": {"transport": "streamable_http", "url": job["url"], "headers": job["headers"]}})
    tools = {t.name: t for t in await client.get_tools()}
    texts = []
    async for c in calls(job):
        try:
            r = await tools[c["tool"]].ainvoke({"type": "tool_call", "id": "1", "name": c["tool"], "args": c["arguments"]})
            texts.append(json.dumps(r.content) if not isinstance(r.content, str) else r.content)
        except ToolException as e:  # what a ToolNode puts into the message
            texts.append(str(e))
    return {"tools": list(tools), "texts": texts}


async def openai_agents(job):
    from agents.mcp import MCPServerStreamableHttp, MCPUtil
    from agents.tool_context import ToolContext

    async with MCPServerStreamableHttp(params={"url": job["url"], "headers": job["headers"]}, name="behalf") as server:
        listed = {t.name: t for t in await server.list_tools()}
        tools = {n: MCPUtil.to_function_tool(t, server, convert_schemas_to_strict=True) for n, t in listed.items()}
        texts = []
        async for c in calls(job):
            arguments = json.dumps(c["arguments"])
            context = ToolContext(context=None, tool_name=c["tool"], tool_call_id="1", tool_arguments=arguments)
            texts.append(json.dumps(await tools[c["tool"]].on_invoke_tool(context, arguments), default=str))
        return {"tools": list(tools), "texts": texts}


CLIENTS = {"mcp": official, "langchain-mcp-adapters": langchain, "openai-agents": openai_agents}


async def main():
    job = json.load(sys.stdin)
    out = {}
    for name, token in job["clients"].items():
        out[name] = await CLIENTS[name]({**job, "client": name, "headers": {"Authorization": "Bearer " + token}})
    json.dump(out, sys.stdout)


asyncio.run(main())
