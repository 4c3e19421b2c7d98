"""The law of retries: how many, and after which pauses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model.retry import MAX_DELAY_SECONDS, RetryPolicy
from queuectl.options import values

policies = st.builds(
    RetryPolicy,
    st.integers(0, 1_000),
    st.floats(0, values.YEAR_SECONDS),
    st.floats(0, 1_000),
)
retries = st.integers(0, 1_000)


def test_the_default_pauses_are_two_four_and_eight_seconds() -> None:
    policy = RetryPolicy()
    assert [policy.delay_seconds(retry) for retry in range(3)] == [2, 4, 8]


@pytest.mark.parametrize(("max_retries", "attempts_in_all"), [(0, 1), (1, 2), (3, 4)])
def test_retries_come_on_top_of_the_first_attempt(max_retries: int, attempts_in_all: int) -> None:
    policy = RetryPolicy(max_retries)
    failed = 1
    while policy.allows_retry(failed):
        failed += 1
    assert failed == attempts_in_all


@given(policies, retries)
def test_a_pause_is_a_time_within_a_year(policy: RetryPolicy, retry: int) -> None:
    delay = policy.delay_seconds(retry)
    assert math.isfinite(delay)
    assert 0 <= delay <= MAX_DELAY_SECONDS


@given(policies)
def test_the_first_pause_is_the_base(policy: RetryPolicy) -> None:
    assert policy.delay_seconds(0) == policy.backoff_base


@given(policies, retries)
def test_each_pause_is_the_one_before_times_the_factor(policy: RetryPolicy, retry: int) -> None:
    before, after = policy.delay_seconds(retry), policy.delay_seconds(retry + 1)
    if 1e-200 < before < MAX_DELAY_SECONDS and 1e-200 < after < MAX_DELAY_SECONDS:
        assert after == pytest.approx(before * policy.backoff_factor, rel=1e-9)
    elif policy.backoff_factor >= 1:
        assert after >= before
    else:
        assert after <= before


@given(st.integers(0, 1_000), st.integers(1, 2 * 1_000))
def test_a_retry_is_allowed_until_all_are_used(max_retries: int, failed: int) -> None:
    assert RetryPolicy(max_retries).allows_retry(failed) == (failed < max_retries + 1)
