"""Valid values, at both ends of every range."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queuectl.errors import InvalidInput
from queuectl.model.command import EXEC, MAX_ARGUMENT_BYTES, MAX_ARGUMENTS_BYTES, SHELL, check, joined
from queuectl.options import OPTIONS, JobOptions, values
from queuectl.options.resources import Resources

TIMEOUT, BASE, FACTOR, RETRIES = (
    OPTIONS[name].read for name in ("timeout", "backoff_base", "backoff_factor", "max_retries")
)
MEMORY = Resources.memory.read
NUMBERS = [TIMEOUT, BASE, FACTOR]
ALL = [*NUMBERS, RETRIES]
NAMES = {TIMEOUT: "timeout", BASE: "backoff-base", FACTOR: "backoff-factor", RETRIES: "max-retries"}
MOST = {TIMEOUT: values.YEAR_SECONDS, BASE: values.YEAR_SECONDS, FACTOR: 1_000.0, RETRIES: 1_000}
NO_NUMBERS = [
    "",
    "many",
    "1,5",
    "0x10",
    "1 2",
    None,
    [],
    object(),
    "1" * 5_000,
    10**400,
    float("nan"),
    float("inf"),
]

Check = Callable[[object], float]


@pytest.mark.parametrize("limit", ALL)
def test_both_bounds_are_allowed(limit: Check) -> None:
    assert limit(0) == 0
    assert limit(MOST[limit]) == MOST[limit]


@pytest.mark.parametrize("limit", ALL)
@pytest.mark.parametrize("value", [-1, "-1", -0.001])
def test_nothing_is_negative(limit: Check, value: object) -> None:
    with pytest.raises(InvalidInput, match=NAMES[limit]):
        limit(value)


@pytest.mark.parametrize("limit", ALL)
def test_nothing_is_greater_than_its_bound(limit: Check) -> None:
    with pytest.raises(InvalidInput, match=NAMES[limit]):
        limit(MOST[limit] + 1)


@pytest.mark.parametrize("limit", ALL)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12])
def test_what_is_no_number_is_named(limit: Check, value: object) -> None:
    with pytest.raises(InvalidInput, match=NAMES[limit]) as caught:
        limit(value)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("read", [*ALL, MEMORY])
@pytest.mark.parametrize("value", ["1_0", b"1_0", " 3", "3 ", "٣", "３", "۵", "infinity", "5\n"], ids=ascii)
def test_numbers_are_ascii_digits(read: Check, value: object) -> None:
    with pytest.raises(InvalidInput, match="must be a"):
        read(value)


@pytest.mark.parametrize(("read", "unit"), [(TIMEOUT, "m"), (MEMORY, "k")])
@pytest.mark.parametrize("digits", ["1_0", "٣", " 3", "3 "], ids=ascii)
def test_so_are_numbers_with_units(read: Check, unit: str, digits: str) -> None:
    with pytest.raises(InvalidInput, match="must be a"):
        read(f"{digits}{unit}")


@pytest.mark.parametrize("limit", NUMBERS)
@pytest.mark.parametrize("value", [1.5, "1.5", b"1.5"])
def test_numbers_come_as_numbers_text_or_bytes(limit: Check, value: object) -> None:
    assert limit(value) == 1.5


@pytest.mark.parametrize("value", [3, 3.0, "3", b"3"])
def test_retries_are_whole(value: object) -> None:
    result = RETRIES(value)
    assert result == 3
    assert isinstance(result, int)


@pytest.mark.parametrize("value", [2.5, "2.5", "3.0", b"1e2"])
def test_half_a_retry_is_none(value: object) -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        RETRIES(value)


@pytest.mark.parametrize(
    "command", [b"true", b"\xff\xfe", "café 日本".encode(), b" x ", b"a\nb", b"x" * MAX_ARGUMENT_BYTES]
)
def test_commands_for_the_shell(command: bytes) -> None:
    check(command, SHELL)


@pytest.mark.parametrize("command", [b"ls", b"ls\0", b"ls\0-l\0\xff\n", b"x\0" + b"y" * MAX_ARGUMENT_BYTES])
def test_commands_without_one(command: bytes) -> None:
    check(command, EXEC)


@pytest.mark.parametrize(
    ("command", "form", "why"),
    [
        (b"", SHELL, "empty"),
        (b" \n\t", SHELL, "empty"),
        (b"a\0b", SHELL, "NUL"),
        (b"x" * (MAX_ARGUMENT_BYTES + 1), SHELL, "131,072 bytes"),
        (b"", EXEC, "empty"),
        (b"\0-l", EXEC, "empty"),
        (b"x\0" + b"y" * (MAX_ARGUMENT_BYTES + 1), EXEC, "more than the system can execute"),
        (b"\0".join([b"x" * 100_000] * 11), EXEC, "more than the system can execute"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_commands_that_no_system_runs(command: bytes, form: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check(command, form)


def test_the_longest_command_has_many_arguments() -> None:
    argument = b"x" * 99_999
    command = b"\0".join([argument] * 10)
    assert len(command) == MAX_ARGUMENTS_BYTES - 1
    check(command, EXEC)


def test_arguments_are_joined_by_the_one_byte_that_none_can_have() -> None:
    assert joined([b"ls", b"", b"-l a"]) == b"ls\0\0-l a"
    with pytest.raises(InvalidInput, match="NUL"):
        joined([b"ls", b"a\0b"])


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0), (1, 1), ("1000", 1000), (b"1000", 1000), ("100k", 102_400), ("100K", 102_400), ("512M", 512 << 20),
        ("1.5G", 3 << 29), ("2t", 2 << 40), ("0.1k", 103), (f"{values.MAX_BYTES}", values.MAX_BYTES),
    ],
)  # fmt: skip
def test_sizes(value: object, count: int) -> None:
    assert values.size("memory", value) == count


@pytest.mark.parametrize("value", ["", "k", "much", "5MBs", "0x10", None, [], "-1", "-1k", "1025T", "nan", "1e99"])
def test_what_is_no_size_is_named(value: object) -> None:
    with pytest.raises(InvalidInput, match="memory") as caught:
        MEMORY(value)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1000, "1000 bytes"), (1024, "1k"), (512 << 20, "512M"), (3 << 29, "1536M")]
)
def test_sizes_are_shown_as_one_would_type_them(count: int, text: str) -> None:
    assert values.size_text(count) == text


def test_a_limit_that_is_not_known_is_an_error() -> None:
    with pytest.raises(TypeError, match="gpus"):
        JobOptions(memory="1G", gpus="1")


@pytest.mark.parametrize("text", ["2g", "2G", "2GB", "2gb", "2GiB", "2048MiB", "2097152k", str(2 << 30)])
def test_sizes_are_powers_of_1024_whatever_their_unit_is_called(text: str) -> None:
    assert MEMORY(text) == 2 << 30


@pytest.mark.parametrize("text", ["2ib", "2b", "GB", "2GiBs", "b", "2bb", "1KGB"])
def test_other_units_are_no_sizes(text: str) -> None:
    with pytest.raises(InvalidInput, match="such as 512M"):
        MEMORY(text)


def test_a_time_is_held_to_its_bounds_in_seconds() -> None:
    assert values.seconds("grace", "1m", 86_400) == 60
    for text in ("0.5s", "2d"):
        with pytest.raises(InvalidInput, match=f"between 1 and 86,400 seconds, not '{text}'"):
            values.seconds("lease", text, 86_400, least=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h30m", 5_400),
        ("2d", 172_800),
        ("1d1h1m1s", 90_061),
        ("1m0.5s", 60.5),
        ("90s", 90),
        ("90", 90),
        ("1.5h", 5_400),
    ],
)
def test_units_of_time_compose(text: str, seconds: float) -> None:
    assert TIMEOUT(text) == seconds


@pytest.mark.parametrize("text", ["30m1h", "1h1h", "h", "1hm", "1h30", "1h-30m", "-1h", "1 h m"])
def test_what_does_not_compose_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="timeout"):
        TIMEOUT(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (3_600, "1h"), (5_400, "1h30m"), (0.3, "0.3s"), (172_800, "2d"), (90.5, "90.5s")],
)
def test_a_time_is_shown_as_one_would_type_it(seconds: float, text: str) -> None:
    assert values.span_text(seconds) == text
    assert TIMEOUT(text) == seconds
