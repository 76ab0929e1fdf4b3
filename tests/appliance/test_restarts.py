"""Back-off of a service that dies."""

from appliance.restarts import DELAYS_S, RestartPolicy


def test_the_first_death_is_healed_at_once_and_a_series_ever_slower() -> None:
    policy = RestartPolicy()
    assert [policy.died(0.5) for _ in range(7)] == [*DELAYS_S, DELAYS_S[-1]]
    assert policy.restarts == 7


def test_a_long_run_pays_for_the_failures_before_it() -> None:
    policy = RestartPolicy()
    policy.died(1)
    policy.died(1)
    assert policy.died(60) == 0.0
