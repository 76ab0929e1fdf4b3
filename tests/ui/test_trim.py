"""The beginning and the end of a lesson cut off over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.conftest import Kit


def test_a_cut_and_back(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, teacher, where = kit.client(), kit.teacher(), f"/api/v1/lessons/{id}/trim"
    whole = {"start_s": 0.0, "end_s": 3725.0, "duration_s": 3725.0}
    assert client.get(where, headers=teacher).get_json() == whole
    cut = client.put(where, json={"start_s": 60, "end_s": 3600.5}, headers=teacher)
    assert cut.get_json() == {"start_s": 60.0, "end_s": 3600.5, "duration_s": 3540.5}
    assert client.get(where, headers=teacher).get_json() == cut.get_json()
    assert client.put(where, json={"start_s": 60}, headers=teacher).get_json()["end_s"] == 3725.0
    assert client.delete(where, headers=teacher).status_code == 204
    assert client.get(where, headers=teacher).get_json() == whole


@pytest.mark.parametrize(
    ("body", "status"),
    [({"start_s": -1}, 400), ({"start_s": "1"}, 400), ({"start_s": 5, "end_s": 5}, 400), ([], 400)],
)
def test_refusals(kit: Kit, body: Any, status: int) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    path = f"/api/v1/lessons/{id}/trim"
    response = kit.client().put(path, json=body, headers=kit.teacher())
    assert response.status_code == status and response.content_type == "application/problem+json"
    assert kit.client().get(path, headers=kit.pupil()).get_json()["start_s"] == 0
    for method in ("PUT", "DELETE"):
        assert kit.client().open(path, method=method, json=body, headers=kit.pupil()).status_code == 403
        assert kit.client().open(path, method=method, json=body).status_code == 401
        nothing = kit.client().open("/api/v1/lessons/nothing/trim", method=method, json={}, headers=kit.teacher())
        assert nothing.status_code == 404
    assert kit.lessons.cuts == {}


def test_a_lesson_that_is_live(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "live").id
    assert kit.client().put(f"/api/v1/lessons/{id}/trim", json={"start_s": 5}, headers=kit.teacher()).status_code == 409


def test_pupils_get_no_bytes_that_were_cut_off(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, teacher, pupil, path = kit.client(), kit.teacher(), kit.pupil(), f"/lessons/{id}/part-0001.mp4"
    client.put(f"/api/v1/lessons/{id}/trim", json={"start_s": 5}, headers=teacher)

    def status(who: dict[str, str], asked: str | None) -> int:
        with client.get(path, headers={**who, **({"Range": f"bytes={asked}"} if asked else {})}) as response:
            return response.status_code

    assert [status(pupil, one) for one in ("0-99", "1000-2999", "1500-1599")] == [206] * 3
    assert [status(pupil, one) for one in ("0-100", "100-999", "999-1100", "2000-3000", "-1", None)] == [403] * 6
    assert [status(teacher, one) for one in ("100-999", "0-0", None)] == [206, 206, 200]
    client.delete(f"/api/v1/lessons/{id}/trim", headers=teacher)
