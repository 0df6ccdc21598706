"""Renders an OpenAPI description as one HTML page, without scripts, fonts or anything from another host."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from api.http.problems import SCHEMAS

Described = dict[str, Any]


def render(description: Described, *, source: str, style: str) -> str:
    """Returns the page. `source` is the address of the same description as JSON, `style` that of the style sheet."""
    info = description["info"]
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<title>{escape(info["title"])}</title><link rel="stylesheet" href="{escape(style)}"></head><body>',
            f"<header><h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}</p>",
            f'<p><a href="{escape(source)}">The same as OpenAPI {escape(description["openapi"])}</a></p>',
            f"{_paragraphs(info['description'])}</header>",
            f"<nav><h2>Addresses</h2><ul>{''.join(_links(description))}</ul></nav>",
            f"<main>{''.join(_sections(description))}{_schemas(description)}</main></body></html>",
        )
    )


def _operations(description: Described) -> Iterator[tuple[str, str, Described]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _links(description: Described) -> Iterator[str]:
    for method, path, operation in _operations(description):
        yield f'<li><a href="#{escape(operation["operationId"])}"><b>{method}</b> {escape(path)}</a></li>'


def _sections(description: Described) -> Iterator[str]:
    for tag in description["tags"]:
        yield f"<section><h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for method, path, operation in _operations(description):
            if tag["name"] in operation["tags"]:
                yield _operation(method, path, operation)
        yield "</section>"


def _operation(method: str, path: str, operation: Described) -> str:
    keys = [name for choice in operation["security"] for name in choice]
    known = f"Needs: {' or '.join(keys)}." if keys else "Needs no key."
    return "".join(
        (
            f'<article id="{escape(operation["operationId"])}"><h3><b>{method}</b> {escape(path)}</h3>',
            f'{_paragraphs(operation["description"])}<p class="muted">{escape(known)}</p>',
            _parameters(operation.get("parameters", [])),
            _body("Body", operation.get("requestBody", {})),
            *(_answer(status, answer) for status, answer in operation["responses"].items()),
            "</article>",
        )
    )


def _parameters(parameters: list[Described]) -> str:
    rows = (
        f"<tr><th><code>{escape(each['name'])}</code></th><td>{'required' if each.get('required') else 'optional'}</td>"
        f"<td>{escape(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return f"<h4>Parameters</h4><table>{''.join(rows)}</table>" if parameters else ""


def _answer(status: str, answer: Described) -> str:
    codes = [code for content in answer.get("content", {}).values() for code in content.get("examples", {})]
    about = f"{status} {answer['description']}" + (f": {', '.join(codes)}" if codes else "")
    names = "".join(
        f"<li><code>{escape(name)}</code> {escape(each.get('description', ''))}</li>"
        for name, each in answer.get("headers", {}).items()
    )
    headers = f"<h4>Headers</h4><ul>{names}</ul>" if names else ""
    opened = " open" if status == "200" else ""
    return f"<details{opened}><summary>{escape(about)}</summary>{headers}{_body('', answer)}</details>"


def _body(title: str, described: Described) -> str:
    parts = [f"<h4>{title}</h4>"] if title and described else []
    for kind, content in described.get("content", {}).items():
        parts.append(f'<p class="muted">{escape(kind)}{_reference(content.get("schema", {}))}</p>')
        examples = [each["value"] for each in content.get("examples", {}).values()]
        parts += [_example(each) for each in examples or [content[name] for name in ("example",) if name in content]]
    return "".join(parts)


def _reference(schema: Described) -> str:
    name = schema.get("$ref", "").removeprefix(SCHEMAS)
    return f': <a href="#{escape(name)}">{escape(name)}</a>' if name else ""


def _example(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f'<pre tabindex="0">{escape(text)}</pre>'


def _schemas(description: Described) -> str:
    shown = "".join(
        f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_example(schema)}</details>'
        for name, schema in description["components"]["schemas"].items()
    )
    return f"<section><h2>Types</h2>{shown}</section>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_code(' '.join(part.split()))}</p>" for part in text.split("\n\n"))


def _code(text: str) -> str:
    """Renders `code`, the only Markdown that the descriptions use."""
    plain, *rest = escape(text).split("`")
    return plain + "".join(f"<code>{each}</code>" if place % 2 == 0 else each for place, each in enumerate(rest))
