"""/healthz for watchdogs and /metrics for Prometheus: what the services said of themselves, in one place."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from appliance.exposition import join
from ui.context import here
from ui.views import services_view

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    statuses = here().state.statuses()
    well = all(status.up for status in statuses.values())
    response = jsonify(status="ok" if well else "degraded", services=services_view(statuses))
    response.status_code = 200 if well else 503
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    state = here().state
    lines = ["# HELP preau_up Whether the service was heard of lately.", "# TYPE preau_up gauge"]
    lines += [f'preau_up{{service="{name}"}} {int(status.up)}' for name, status in state.statuses().items()]
    body = join(state.expositions().values()) + "\n".join([*lines, ""]).encode()
    return Response(body, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
