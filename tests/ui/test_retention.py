"""Receipts of deleted lessons over HTTP."""

from __future__ import annotations

from tests.ui.conftest import Kit


def test_a_deleted_lesson_leaves_a_receipt_for_teachers(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, teacher = kit.client(), kit.teacher()
    assert client.get("/api/v1/receipts", headers=teacher).get_json() == {"receipts": []}
    assert client.delete(f"/api/v1/lessons/{id}", headers=teacher).status_code == 204
    response = client.get("/api/v1/receipts", headers=teacher)
    [receipt] = response.get_json()["receipts"]
    assert (receipt["id"], receipt["why"], receipt["by"]) == (id, "hand", "teacher")
    assert receipt["uplinks"] == [{"name": "nuage", "told_at": None}]
    assert receipt["erased_at"] > receipt["wall"] and len(receipt["sha256"]) == 64
    assert "Fractions" not in response.text
    assert client.get("/api/v1/receipts", headers=kit.pupil()).status_code == 403
    assert client.get("/api/v1/receipts").status_code == 401
