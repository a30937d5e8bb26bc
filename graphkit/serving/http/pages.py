"""The description of a server: OpenAPI, and a page that needs nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

import graphkit
from graphkit.conf.predict import TABLES, prediction_settings
from graphkit.conf.serve import served_questions, served_settings
from graphkit.conf.setting import Setting

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
_ERRORS = {
    "400": "no HTTP",
    "408": "the body came too slowly",
    "413": "the body is too large",
    "415": "the body is declared as something else than JSON",
    "422": "the request is wrong; each error is a sentence",
    "500": "the model failed",
    "503": "too many requests wait, or the server stops",
}
_ROWS = {"type": "array", "minItems": 1, "items": {}}


def openapi(task: str, run: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a server.

    Args:
        task: The task of the run.
        run: What the run is called.
    """
    settings = prediction_settings()
    schemas = {key: _question(task, key, settings[key]) for key in served_questions(task)}
    failed = {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/errors"}}}}
    errors = {status: {**failed, "description": why} for status, why in _ERRORS.items()}
    answered = {
        "200": {"description": "the answer, as graphkit.predict format=json has it", "content": {"application/json": {}}}
    }
    asked = {"oneOf": [{"$ref": f"#/components/schemas/{key}"} for key in schemas]}
    body = {"required": True, "content": {"application/json": {"schema": asked}}}
    told = {"type": "array", "items": {"type": "string"}}
    failure = {"type": "object", "properties": {"status": {"type": "integer"}, "errors": told}}
    plain = {"200": {"description": "it is"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"graphkit: {run}",
            "version": graphkit.__version__,
            "description": f"A finished run of task={task}.",
        },
        "paths": {
            "/predict": {"post": {"summary": "ask the run", "requestBody": body, "responses": {**answered, **errors}}},
            "/health": {"get": {"summary": "whether the server is there", "responses": plain}},
            "/metrics": {"get": {"summary": "counters in the text format of Prometheus", "responses": plain}},
        },
        "components": {"schemas": {**schemas, "errors": failure}},
    }


def _question(task: str, key: str, setting: Setting) -> dict[str, Any]:
    question = served_questions(task)[key]
    names = {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": ["string", "integer"]}}]}
    asked = {**(_ROWS if question.table else names), "description": question.meaning}
    beside = {name: _schema(name, one) for name, one in served_settings(task, key).items()}
    return {"type": "object", "required": [key], "additionalProperties": False, "properties": {key: asked, **beside}}


def _schema(key: str, setting: Setting) -> dict[str, Any]:
    if key in TABLES:
        return {**_ROWS, "description": setting.help}
    made: dict[str, Any] = {"type": _TYPES[setting.kind], "description": setting.help}
    bounds = {
        "minimum": setting.low,
        "maximum": setting.high,
        "default": setting.default,
        "enum": list(setting.choices) or None,
    }
    return made | {name: value for name, value in bounds.items() if value is not None}


def docs(task: str, run: str, facts: Mapping[str, Any]) -> str:
    """The page that shows what can be asked, with a form to try it.

    Args:
        task: The task of the run.
        run: What the run is called.
        facts: What is told of it.
    """
    questions = [
        {"key": key, "meaning": question.meaning, "beside": served_settings(task, key)}
        for key, question in served_questions(task).items()
    ]
    page = Environment(loader=PackageLoader("graphkit.serving", "http"), autoescape=select_autoescape(("j2",)))
    example = json.dumps({questions[0]["key"]: "0"})
    made: str = page.get_template("docs.html.j2").render(run=run, facts=facts, questions=questions, example=example)
    return made
