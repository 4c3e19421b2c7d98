"""What we write to the server reads back the same, whatever bytes and numbers it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.errors import RecordInvalid
from queuectl.model.command import EXEC, SHELL
from queuectl.model.job import Attempt, Ended, Job, Lease, Retrying, Running, Waiting
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.options import LEASE, OPTIONS, JobOptions, values
from queuectl.options.packing import pack, unpack
from queuectl.options.values import number_text
from queuectl.storage import RedisStorage, reads
from queuectl.storage import variables as environment
from queuectl.storage.codec import LEASE_FIELDS, job_from, lease_from, mapping, worker_from
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
options = st.builds(
    JobOptions,
    timeout=seconds,
    max_retries=st.integers(0, 1_000),
    backoff_base=seconds,
    backoff_factor=st.floats(0, 1_000),
    memory=sizes,
    cpu_time=seconds,
    max_output=sizes,
    max_processes=st.integers(0, 1 << 22),
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    command, form = draw(commands)
    state = draw(st.sampled_from(JobState))
    maybe = st.none() | moments
    standing: Waiting | Running | Retrying | Ended = Waiting()
    last = None
    runner = draw(labels)
    worker, host = f"{runner}-1", runner.rpartition("-")[0]
    if state is JobState.PROCESSING:
        standing = Running(worker, host, draw(maybe))
    elif state is JobState.FAILED:
        standing = Retrying(draw(maybe))
    elif state in FINAL:
        standing = Ended(draw(maybe))
    exit_code, detail = draw(st.none() | st.integers(-255, 255)), draw(labels)
    cause = "" if state is JobState.COMPLETED else draw(labels)
    if exit_code is not None or cause or detail:
        ran = ("", "", None) if state is JobState.PROCESSING else (worker, host, draw(maybe))
        last = Attempt(*ran, exit_code, cause, detail)
    return Job(
        id=draw(ids),
        state=state,
        command=command,
        form=form,
        queue=draw(labels.filter(lambda name: name != "" and "\0" not in name)),
        options=draw(options),
        cwd=draw(paths),
        env=draw(labels),
        created_at=draw(maybe),
        attempts=draw(counts.filter(lambda count: count < 1 << 53)),
        crashes=draw(counts.filter(lambda count: count < 1 << 53)),
        fence=draw(counts),
        standing=standing,
        last=last,
    )


def hash_of(job: Job) -> dict[bytes, bytes]:
    """The job's hash as the scripts and programs write it."""
    fields: dict[str, object] = {
        name: getattr(job, name)
        for name in ("command", "form", "queue", "cwd", "env", "created_at", "attempts", "crashes", "fence")
    }
    fields |= job.options.fields() | {"status": job.state.value}
    fields |= {"finished_at": job.finished_at, "next_retry_at": job.next_retry_at}
    if job.last:
        fields |= {"exit_code": job.last.exit_code, "cause": job.last.cause, "detail": job.last.detail}
    if job.run:
        owner = job.run.worker.removesuffix("-1")
        fields |= {"worker": job.run.worker, "owner": owner, "started_at": job.run.started_at}
    return {name.encode(): encoded(value) for name, value in fields.items() if value is not None}


def encoded(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else number_text(value).encode()  # type: ignore[arg-type]


@given(jobs())
def test_a_job_is_what_its_hash_says(job: Job) -> None:
    assert job_from(job.id, hash_of(job)) == job


@given(jobs())
def test_fields_that_are_missing_take_their_defaults(job: Job) -> None:
    shortest = {b"status": job.state.value.encode(), b"command": job.command}
    least = job_from(job.id, shortest)
    assert least._replace(standing=Waiting()) == Job(job.id, job.state, job.command)
    assert type(least.standing) is type(job.standing)


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
    lease = lease_from(row, "web1-3fa2c1")
    assert lease == Lease(
        Job(
            job.id,
            JobState.PROCESSING,
            job.command,
            job.form,
            job.queue,
            job.options,
            job.cwd,
            job.env,
            None,
            job.attempts,
            fence=job.fence,
            standing=Running("web1-3fa2c1", "web1"),
        ),
        job.fence,
    )


@given(st.lists(st.none() | st.binary(max_size=9), min_size=len(LEASE_FIELDS), max_size=len(LEASE_FIELDS)))
def test_any_claimed_hash_is_a_lease_or_an_invalid_record(row: list[bytes | None]) -> None:
    try:
        lease = lease_from([b"abcd", 7, *row])  # type: ignore[list-item]
    except RecordInvalid:
        return
    assert lease.job_id == "abcd"
    assert 0 <= lease.job.options.timeout <= values.YEAR_SECONDS
    assert 0 <= lease.job.policy.max_retries <= 1_000


@given(variables)
def test_variables(known: dict[bytes, bytes]) -> None:
    assert environment.unpack(environment.pack(known)) == known


@given(variables)
def test_equal_variables_are_packed_alike_so_that_jobs_share_them(known: dict[bytes, bytes]) -> None:
    assert environment.pack(dict(reversed(known.items()))) == environment.pack(known)


@given(st.binary())
def test_any_bytes_can_be_unpacked(packed: bytes) -> None:
    assert all(b"\0" not in name + value for name, value in environment.unpack(packed).items())


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(1 << 60), 1 << 60))
def test_numbers_lose_nothing(value: float) -> None:
    text = number_text(value)
    assert type(value)(text) == value
    assert not text.endswith(".0")


@given(st.dictionaries(st.binary(), st.binary()))
def test_a_flat_list_is_a_mapping(fields: dict[bytes, bytes]) -> None:
    assert mapping([part for pair in fields.items() for part in pair]) == fields


@given(command=commands, cwd=paths, wanted=options, known=variables)
def test_all_of_it_through_a_real_server(
    valkey_storage_for_all: RedisStorage,
    command: tuple[bytes, str],
    cwd: bytes,
    wanted: JobOptions,
    known: dict[bytes, bytes],
) -> None:
    storage = valkey_storage_for_all
    (job_id,) = new_ids(1)
    fields = {**wanted.fields(), "form": command[1], "cwd": cwd}
    add_as(storage, [job_id], command[0], known, **fields)
    job = reads.job(storage, job_id)
    assert job is not None
    assert (job.command, job.form, job.cwd, job.options) == (*command, cwd, wanted)
    (lease,) = claim(storage)
    assert (lease.job_id, lease.job.command, lease.job.options) == (job_id, command[0], wanted)
    (packed,) = storage.exchange([("HGET", storage.keys.environment(lease.job.env), "variables")])
    assert environment.unpack(packed or b"") == known


def test_all_lease_options_share_one_field() -> None:
    names = [name for name, option in OPTIONS.items() if option.goes_to == LEASE]
    packed = JobOptions(**dict.fromkeys(names, 5)).fields()
    assert packed == {"limits": " ".join(f"{name}=5" for name in names).encode()}
    assert set(names) < set(OPTIONS)


@given(st.dictionaries(st.text("abcdefgh_", min_size=1), st.binary() | st.sampled_from([b"%20", b"a %09=\t%%"])))
def test_any_values_are_packed_into_one_field(known: dict[str, bytes]) -> None:
    assert unpack(pack(known)) == known


@pytest.fixture(scope="module")
def valkey_storage_for_all(valkey_server):  # type: ignore[no-untyped-def]
    """One storage for all examples."""
    storage = RedisStorage(valkey_server.url, "codec")
    yield storage
    storage.close()
