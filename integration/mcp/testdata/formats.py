"""Holds tool definitions to what the vendors' own SDKs declare and document.

Reads {"openai": [...], "anthropic": [...], "gemini": [...], "mcp": [...]} from standard input and prints the problems, and which
tools OpenAI's strict mode cannot take.
"""

import copy
import json
import re
import sys

import jsonschema
from agents.strict_schema import ensure_strict_json_schema
from anthropic.types import ToolParam
from google.genai import types as gemini
from mcp.types import Tool
from openai.types.chat import ChatCompletionFunctionToolParam
from pydantic import ConfigDict, TypeAdapter, with_config

problems, not_strict = [], []


def closed(typed_dict):
    """Validates a TypedDict without coercion, and refuses members that it does not declare."""
    return TypeAdapter(with_config(ConfigDict(strict=True, extra="forbid"))(typed_dict))


def each(tools, check):
    names = set()
    for t in tools:
        name = (t.get("function") or t)["name"]
        try:
            check(t)
            if name in names:
                raise ValueError("this name is there twice")
        except Exception as e:
            problems.append(f"{check.__name__} {name}: {e}")
        names.add(name)


def named(name, pattern, description, longest):
    if not re.fullmatch(pattern, name):
        raise ValueError("the name does not match " + pattern)
    if not 0 < len(description) <= longest:
        raise ValueError(f"the description has {len(description)} characters")


openai_tool = closed(ChatCompletionFunctionToolParam)
anthropic_tool = TypeAdapter(ToolParam)  # declares input_schema with members of its own and others


def openai(t):
    openai_tool.validate_python(t)
    f = t["function"]
    named(f["name"], r"[a-zA-Z0-9_-]{1,64}", f["description"], 1024)
    jsonschema.Draft202012Validator.check_schema(f["parameters"])
    try:
        ensure_strict_json_schema(copy.deepcopy(f["parameters"]))
    except Exception as e:
        not_strict.append(f["name"])


def anthropic(t):
    anthropic_tool.validate_python(t)
    if set(t) - set(ToolParam.__annotations__):
        raise ValueError("members that the API does not have")
    named(t["name"], r"[a-zA-Z0-9_-]{1,64}", t["description"], 10_000)
    jsonschema.Draft202012Validator.check_schema(t["input_schema"])


# What Google documents for schemas of function declarations (Structured output: JSON Schema support).
GEMINI = {"type", "title", "description", "properties", "required", "additionalProperties", "enum", "format", "minimum", "maximum", "items", "prefixItems", "minItems", "maxItems"}


def subset(schema, at=""):
    extra = set(schema) - GEMINI
    if extra:
        raise ValueError(f"{at or '/'}: Gemini does not document {sorted(extra)}")
    if "enum" in schema and schema["type"] not in ("string", "integer", "number"):
        raise ValueError(f"{at}: an enum of {schema['type']}")
    if schema["type"] == "array" and "items" not in schema:
        raise ValueError(f"{at}: an array without items")
    for name, p in schema.get("properties", {}).items():
        subset(p, f"{at}/{name}")
    if "items" in schema:
        subset(schema["items"], at + "/*")


def google(t):
    gemini.FunctionDeclaration.model_validate(t)  # forbids members that it does not declare
    gemini.Tool.model_validate({"functionDeclarations": [t]})
    named(t["name"], r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", t["description"], 1024)
    schema = t.get("parametersJsonSchema")
    if schema is not None:
        subset(schema)
        if not schema["properties"]:
            raise ValueError("an object without properties")


def protocol(t):
    Tool.model_validate(t)
    named(t["name"], r"[A-Za-z0-9_.-]{1,64}", t["description"], 10_000)


job = json.load(sys.stdin)
each(job["openai"], openai)
each(job["anthropic"], anthropic)
each(job["gemini"], google)
each(job["mcp"], protocol)
json.dump({"problems": problems, "not_strict": not_strict, "tools": len(job["openai"])}, sys.stdout)
