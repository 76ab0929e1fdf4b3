"""What becomes of lessons in the end, for the teacher: the receipts of those that were erased."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from ui import api
from ui.context import here
from ui.ports import Receipt


@api.blueprint.get("/receipts")
def list_receipts() -> Response:
    context = here()
    context.require("teacher")
    return api.private(jsonify(receipts=[receipt_view(one) for one in context.lessons.receipts()]))


def receipt_view(receipt: Receipt) -> dict[str, Any]:
    """One erasure. `told_at` is when an uplink had deleted its copy, null while it is still to."""
    what = receipt.erasing
    return {
        "number": receipt.number,
        "id": what.id,
        "what": what.what,
        "why": what.why,
        "by": what.by,
        "wall": what.wall,
        "erased_at": receipt.erased_at,
        "started_at": what.started_at,
        "duration_s": what.duration_s,
        "bytes": what.bytes,
        "files": what.files,
        "sha256": what.sha256,
        "uplinks": [{"name": name, "told_at": receipt.told.get(name)} for name in what.uplinks],
    }
