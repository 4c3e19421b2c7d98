"""What is written to the server is read back the same, whatever bytes and numbers it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_retry_policy import policies

from queuectl.errors import RecordInvalid
from queuectl.model import values
from queuectl.model.command import EXEC, SHELL
from queuectl.model.job import Job
from queuectl.model.job_limits import JobLimits
from queuectl.model.lifecycle import JobState
from queuectl.model.retry import RetryPolicy
from queuectl.storage import RedisStorage
from queuectl.storage.codec import LEASE_FIELDS, Lease, job_from, lease_from, worker_from
from queuectl.storage.encoding import mapping, number_text, pack_limits, pack_variables, unpack_variables
from steps import add_as, claim, new_ids

words = st.binary(min_size=1, max_size=30).filter(lambda word: b"\0" not in word and bool(word.strip()))
commands = st.tuples(words, st.just(SHELL)) | st.tuples(
    st.lists(words, min_size=1, max_size=4).map(b"\0".join), st.just(EXEC)
)
paths = st.binary(max_size=30).filter(lambda path: b"\0" not in path)
seconds = st.floats(0, values.YEAR_SECONDS)
moments = st.floats(0, 4e9).map(lambda at: float(f"{at:.6f}"))
counts = st.integers(0, 1 << 53)
labels = st.text(max_size=20)
ids = st.text("0123456789abcdef", min_size=4, max_size=32)
names = st.binary(min_size=1, max_size=10).filter(lambda name: b"=" not in name and b"\0" not in name)
variables = st.dictionaries(names, paths, max_size=6)


sizes = st.integers(0, values.MAX_BYTES)
job_limits = st.builds(JobLimits, sizes, seconds, sizes, st.integers(0, values.MAX_PROCESSES))


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    command, form = draw(commands)
    return Job(
        id=draw(ids),
        status=draw(st.sampled_from(JobState)),
        command=command,
        form=form,
        queue=draw(labels.filter(lambda name: name != "" and "\0" not in name)),
        policy=draw(policies),
        timeout=draw(seconds),
        limits=draw(job_limits),
        attempts=draw(counts),
        crashes=draw(counts),
        fence=draw(counts),
        cwd=draw(paths),
        env=draw(labels),
        created_at=draw(st.none() | moments),
        started_at=draw(st.none() | moments),
        finished_at=draw(st.none() | moments),
        next_retry_at=draw(st.none() | moments),
        exit_code=draw(st.none() | st.integers(-255, 255)),
        reason=draw(labels),
        worker=draw(labels),
        host=draw(labels),
    )


def hash_of(job: Job) -> dict[bytes, bytes]:
    """The job's hash as the scripts and programs write it."""
    values = {**job._asdict(), **job.policy._asdict(), "status": job.status.value}
    del values["id"], values["policy"]
    return {name.encode(): encoded(value) for name, value in values.items() if value is not None}


def encoded(value: object) -> bytes:
    if isinstance(value, JobLimits):
        return pack_limits(value._asdict()).encode()
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else number_text(value).encode()  # type: ignore[arg-type]


@given(jobs())
def test_a_job_is_what_its_hash_says(job: Job) -> None:
    assert job_from(job.id, hash_of(job)) == job


@given(jobs())
def test_fields_that_are_missing_take_their_defaults(job: Job) -> None:
    shortest = {b"status": job.status.value.encode(), b"command": job.command}
    assert job_from(job.id, shortest) == Job(job.id, job.status, job.command)


@given(
    jobs(), st.sampled_from(["attempts", "timeout", "created_at", "exit_code", "max_retries", "status", "limits"])
)
def test_a_damaged_field_is_named(job: Job, name: str) -> None:
    with pytest.raises(RecordInvalid, match=name):
        job_from(job.id, hash_of(job) | {name.encode(): b"\xffrubbish"})


@given(st.dictionaries(st.binary(max_size=12) | st.sampled_from([b"status", b"command", b"timeout"]), st.binary()))
def test_any_hash_is_a_job_or_an_invalid_record(fields: dict[bytes, bytes]) -> None:
    try:
        assert isinstance(job_from("abcd", fields), Job)
    except RecordInvalid:
        pass


@given(st.dictionaries(st.sampled_from([b"pid", b"started_at", b"status", b"job"]), st.binary(max_size=9)))
def test_any_hash_is_a_worker_or_an_invalid_record(fields: dict[bytes, bytes]) -> None:
    try:
        assert worker_from("w", fields).name == "w"
    except RecordInvalid:
        pass


@given(jobs())
def test_a_lease_is_what_the_claim_gave(job: Job) -> None:
    fields = hash_of(job)
    row = [job.id.encode(), job.fence, *(fields.get(name.encode()) for name in LEASE_FIELDS)]
    assert lease_from(row) == Lease(  # type: ignore[arg-type]
        job.id,
        job.fence,
        job.command,
        job.form,
        job.cwd,
        job.env,
        job.timeout,
        job.attempts,
        job.policy,
        job.queue,
        job.limits,
    )


@given(st.lists(st.none() | st.binary(max_size=9), min_size=len(LEASE_FIELDS), max_size=len(LEASE_FIELDS)))
def test_any_claimed_hash_is_a_lease_or_an_invalid_record(row: list[bytes | None]) -> None:
    try:
        lease = lease_from([b"abcd", 7, *row])  # type: ignore[list-item]
    except RecordInvalid:
        return
    assert lease.job_id == "abcd"
    assert 0 <= lease.timeout <= values.YEAR_SECONDS
    assert 0 <= lease.policy.max_retries <= values.MAX_RETRIES


@given(variables)
def test_variables(known: dict[bytes, bytes]) -> None:
    assert unpack_variables(pack_variables(known)) == known


@given(variables)
def test_equal_variables_are_packed_alike_so_that_jobs_share_them(known: dict[bytes, bytes]) -> None:
    assert pack_variables(dict(reversed(known.items()))) == pack_variables(known)


@given(st.binary())
def test_any_bytes_can_be_unpacked(packed: bytes) -> None:
    assert all(b"\0" not in name + value for name, value in unpack_variables(packed).items())


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(1 << 60), 1 << 60))
def test_numbers_lose_nothing(value: float) -> None:
    text = number_text(value)
    assert type(value)(text) == value
    assert not text.endswith(".0")


@given(st.dictionaries(st.binary(), st.binary()))
def test_a_flat_list_is_a_mapping(fields: dict[bytes, bytes]) -> None:
    assert mapping([part for pair in fields.items() for part in pair]) == fields


@given(command=commands, cwd=paths, timeout=seconds, policy=policies, bounds=job_limits, known=variables)
def test_all_of_it_through_a_real_server(
    valkey_storage_for_all: RedisStorage,
    command: tuple[bytes, str],
    cwd: bytes,
    timeout: float,
    policy: RetryPolicy,
    bounds: JobLimits,
    known: dict[bytes, bytes],
) -> None:
    storage = valkey_storage_for_all
    numbers = {name: number_text(value) for name, value in {"timeout": timeout, **policy._asdict()}.items()}
    numbers["limits"] = pack_limits(bounds._asdict())
    (job_id,) = new_ids(1)
    add_as(storage, [job_id], command[0], known, form=command[1], cwd=cwd, **numbers)  # type: ignore[arg-type]
    job = storage.job(job_id)
    assert job is not None
    assert (job.command, job.form, job.cwd, job.timeout, job.policy) == (*command, cwd, timeout, policy)
    assert job.limits == bounds
    (lease,) = claim(storage)
    assert lease == (job_id, 1, *command, cwd, job.env, timeout, 0, policy, "default", bounds)
    (packed,) = storage.exchange([("HGET", storage.keys.environment(lease.env), "variables")])
    assert unpack_variables(packed or b"") == known


@pytest.fixture(scope="module")
def valkey_storage_for_all(valkey_server):  # type: ignore[no-untyped-def]
    """One storage for all examples."""
    storage = RedisStorage(valkey_server.url, "codec")
    yield storage
    storage.close()
