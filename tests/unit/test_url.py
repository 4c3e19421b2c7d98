"""Parsing a server's address, without ever showing its password."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from queuectl.errors import BadConfiguration
from queuectl.storage.url import RedisURL, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://", RedisURL()),
        ("redis://host", RedisURL("host")),
        (" VALKEY://host:7000/2\n", RedisURL("host", 7000, db=2)),
        ("redis://host/", RedisURL("host")),
        ("redis://host?db=3", RedisURL("host", db=3)),
        ("redis://:6380", RedisURL(port=6380)),
        ("redis://[::1]", RedisURL("::1")),
        ("redis://[fe80::1%25eth0]:7000/1", RedisURL("fe80::1%eth0", 7000, db=1)),
        ("redis://:pw@host", RedisURL("host", password="pw")),
        ("redis://ann:p%40w%2F@host", RedisURL("host", username="ann", password="p@w/")),
        ("redis://ann:p@w@host", RedisURL("host", username="ann", password="p@w")),
        ("redis://ann:a:b@host", RedisURL("host", username="ann", password="a:b")),
        ("redis://ann:@host", RedisURL("host", username="ann", password="")),
        ("redis://:@host", RedisURL("host")),
        ("rediss://host", RedisURL("host", tls=True)),
        ("valkeys://host:1/1", RedisURL("host", 1, db=1, tls=True)),
        ("rediss://h?ssl_cert_reqs=none", RedisURL("h", tls=True, verify=False, check_hostname=False)),
        ("rediss://h?ssl_check_hostname=False", RedisURL("h", tls=True, check_hostname=False)),
        (
            "rediss://h/1?ssl_ca_certs=/a%20b&ssl_certfile=/c&ssl_keyfile=/k&ssl_cert_reqs=required",
            RedisURL("h", db=1, tls=True, ca_certs="/a b", certfile="/c", keyfile="/k"),
        ),
        ("unix:///run/redis.sock", RedisURL(path="/run/redis.sock")),
        ("unix:///a%20b/c@d?db=1", RedisURL(path="/a b/c@d", db=1)),
        ("unix://ann:pw@/s", RedisURL(path="/s", username="ann", password="pw")),
        ("unix://:pw@/s", RedisURL(path="/s", password="pw")),
    ],
)
def test_what_is_read(text: str, expected: RedisURL) -> None:
    url = parse(text)
    assert tuple(url) == tuple(expected)
    if url.password is not None:
        url = url._replace(password="***")
    assert tuple(parse(url.redacted())) == tuple(url)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no scheme"),
        ("localhost:6379", "no scheme"),
        ("http://host", "unknown scheme http"),
        ("redis+sentinel://host", r"unknown scheme redis\+sentinel"),
        ("://host", "an unknown scheme"),
        ("redis://host:0", "port isn't a number"),
        ("redis://host:65536", "port isn't a number"),
        ("redis://host:http", "port isn't a number"),
        ("redis://host:٣", "port isn't a number"),
        ("redis://host/x", "database isn't a number"),
        ("redis://host/-1", "database isn't a number"),
        ("redis://host/1/2", "database isn't a number"),
        ("redis://host/99999999999", "database isn't a number"),
        ("redis://host?db=", "database isn't a number"),
        ("redis://host/1?db=1", "database twice"),
        ("redis://host?db=1&db=2", "db twice"),
        ("redis://host?timeout=3", "unknown option 'timeout'"),
        ("redis://host?&", "unknown option ''"),
        ("redis://host?ssl_cert_reqs=none", "no TLS"),
        ("unix:///s?ssl_cert_reqs=none", "no TLS"),
        ("rediss://host?ssl_cert_reqs=optional", "ssl_cert_reqs can't be 'optional'"),
        ("rediss://host?ssl_check_hostname=0", "ssl_check_hostname can't be '0'"),
        ("rediss://host?ssl_ca_certs", "without a value"),
        ("rediss://host?ssl_keyfile=/k", "ssl_keyfile alone"),
        ("rediss://host?ssl_ca_certs=k", "absolute path"),
        ("redis://::1", "host can't be read"),
        ("redis://[::1", "host can't be read"),
        ("redis://[::1]6379", "host can't be read"),
        ("redis://ho%0Ast", "host can't be read"),
        ("redis://pw@host", "user name without a password"),
        ("redis://host/0#top", "wrong place"),
        ("redis://:p/w@host", "wrong place"),
        ("unix://run/redis.sock", "isn't absolute"),
        ("unix://", "isn't absolute"),
        ("redis://:%ff@host", "isn't UTF-8"),
        ("redis://:\udcff@host", "isn't UTF-8"),
        ("redis://:%00@host", "NUL"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadConfiguration, match=complaint) as caught:
        parse(text)
    assert caught.value.hint
    assert caught.value.exit_code == 78


def test_a_path_that_is_not_utf8_can_be_shown() -> None:
    assert RedisURL(path="/home/\udcff/s").redacted() == "unix:///home/%FF/s"


# The mark makes it findable: a password of one letter is in every URL.
MARK = "Zq9"
passwords = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(lambda rest: MARK + rest)
whole = [
    "redis://:{}@host:7000/1",
    "redis://ann:{}@[::1]",
    "rediss://ann:{}@h?ssl_cert_reqs=none",
    "unix://ann:{}@/run/x.sock?db=1",
    "unix://:{}@/s",
    "valkey://:{}@",
]
broken = [
    "redis://:{}@host:x",
    "redis://:{}@host/x",
    "redis://:{}@[host",
    "redis://:{}@host?x=1",
    "rediss://:{}@host?ssl_cert_reqs=x",
    "unix://:{}@path",
    "nonsense://:{}@host",
    "redis:/:{}@host",
    "{}@host",
    "{}",
]


@given(st.sampled_from(whole), passwords)
def test_an_encoded_password_is_read_and_hidden(frame: str, password: str) -> None:
    url = parse(frame.format(quote(password, safe="")))
    assert url.password == password
    for shown in (url.redacted(), str(url), repr(url), f"{url}"):
        assert MARK not in shown
        assert "***" in shown


@given(st.sampled_from(whole + broken), st.text("@:/?#%[]&= a\n"), passwords)
@example("redis://:{}@host", "", "Zq9?x")
@example("unix://:{}@/path", "/", "Zq9")
@example("unix://:{}@/path", "@/", "Zq9")
def test_a_password_that_was_not_encoded_is_never_shown(frame: str, before: str, password: str) -> None:
    try:
        url = parse(frame.format(before + password))
        shown = f"{url} {url!r} {url.redacted()}"
    except BadConfiguration as error:
        shown = f"{error} {error.hint}"
    assert MARK not in shown
