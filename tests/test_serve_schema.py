"""The API against its own description: whatever fits it, or does not, gets an answer that it describes."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, settings, strategies
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sleevenotes.covers.dataset import Dataset
from sleevenotes.learn.model import Model
from sleevenotes.publish.web.app import make_app
from sleevenotes.publish.web.limits import Limits
from sleevenotes.publish.web.problems import STATUS
from sleevenotes.publish.web.service import Service

load_all_checks()
strategies.from_regex(
    "loaded now"
).validate()  # else in the midst of drawing, deep in Python's stack, where it may fail
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
EXAMPLES = 8  # of each route
METHODS = ("get", "post", "patch", "delete", "put")


@pytest.fixture
def app(color_model: Model, copied: Dataset) -> FastAPI:
    return make_app(Service(color_model, copied), Limits())


@pytest.fixture
def description(app: FastAPI) -> dict:
    return app.openapi()


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as found:
        yield found


def routes(description: dict) -> Iterator[tuple[str, str, dict]]:
    for path, methods in description["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def test_whatever_is_asked_the_answer_is_one_that_is_described(app: FastAPI):
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        asked.add(operation.label)

        @hypothesis.seed(0)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            answer = case.call()
            assert answer.status_code < 500 or answer.status_code == STATUS["busy"], answer.text
            case.validate_response(answer, checks=CHECKS)

        ask()
    assert len(asked) >= 7


def test_every_route_is_told_in_words_and_in_examples(description: dict):
    for path, method, told in routes(description):
        assert told["summary"], path
        assert told["description"], path
        assert told["tags"], path
        assert path.startswith("/api/v1/")
        for parameter in told.get("parameters", ()):
            assert parameter["in"] == "path" or parameter.get("description"), (path, method, parameter["name"])
        good = told["responses"].get("200") or told["responses"].get("201")
        assert good, path
        assert good["content"], path
    names = [told["operationId"] for _, _, told in routes(description)]
    assert len(names) == len(set(names))


def test_every_problem_a_route_can_have_is_described_in_the_one_shape(description: dict):
    for path, _, told in routes(description):
        for status in ("400", "401", "403", "422", "429", "503"):
            schema = told["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Refusal"}, path


def test_every_field_of_an_answer_has_an_example_or_a_description(description: dict):
    bare = [
        f"{name}.{field}"
        for name, schema in description["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if not (told.get("description") or told.get("examples") or "$ref" in told or "items" in told)
        and schema.get("examples") is None
    ]
    assert not bare


def test_the_description_is_there_to_be_fetched_and_no_page_that_fetches_from_elsewhere(client: TestClient):
    assert client.get("/api/v1/openapi.json").json()["info"]["title"] == "sleevenotes"
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404


def test_a_token_is_part_of_the_description_where_there_is_one(color_model: Model):
    described = make_app(Service(color_model, None), Limits(), token="correct-horse").openapi()
    assert described["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    assert all(told["security"] == [{"HTTPBearer": []}] for _, _, told in routes(described))
