"""Loads this machine's settings: which state folder, which server, which keys.

A setting's value comes from the first of: a command-line option, the environment, the configuration file, its
default. The defaults for jobs (retries, backoff) aren't here: the server keeps them.

The configuration file is TOML, at ``$QUEUECTL_CONFIG`` or ``queuectl/config.toml`` in the user's configuration
folder, with any of the keys ``home``, ``redis_url``, ``namespace``, ``appendfsync``, ``insecure_redis`` and
``allow_root``.
"""

# Every command reads its settings, and importing pathlib alone would add 4 ms.

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from queuectl.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("home", "redis_url", "namespace", "appendfsync", "insecure_redis", "allow_root")
_ANSWERS = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
_DEFAULT_NAMESPACE = "queuectl"
APPENDFSYNC = ("always", "everysec", "no")

LOADING_SECONDS = 600.0
"""How long a command waits for a server that reads its data, which takes about a minute for a few gigabytes."""

_NAMESPACE_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_NAMESPACE_LIMIT = 64


class Settings(NamedTuple):
    """The effective settings, each with its origin."""

    home: str
    """State folder, an absolute path; it may not exist yet."""

    redis_url: str | None
    """URL of the server to use; without one, the embedded server of ``home``."""

    namespace: str
    """First part of every key: 1 to 64 of ``A-Z a-z 0-9 _ . -``, optionally in one pair of braces."""

    appendfsync: str
    """When the embedded server syncs its journal to disk: ``always``, ``everysec`` or ``no``."""

    insecure_redis: bool
    """Whether to accept a server that anybody in the network can write to."""

    allow_root: bool
    """Whether workers may run jobs as root for a person who became root with `sudo` or `su`."""

    origins: Mapping[str, str]
    """Setting name to its origin in words: "default", "environment QUEUECTL_HOME"."""

    def __repr__(self) -> str:
        # The URL may hold a password, and a repr ends up in logs and bug reports.
        url = None if self.redis_url is None else "***"
        return f"Settings(home={self.home!r}, redis_url={url!r}, namespace={self.namespace!r}, ...)"


def load(
    *,
    redis_url: str | None = None,
    namespace: str | None = None,
    insecure_redis: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Load the effective settings.

    The arguments are the command-line options, None where not given. An empty environment variable counts as unset.
    Raises BadConfiguration for an invalid value, an unreadable file, or a file with other keys than the six.
    """
    options = {
        "redis_url": redis_url,
        "namespace": namespace,
        "insecure_redis": "yes" if insecure_redis else None,
    }
    path, from_file = _read_configuration(environ)
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for key in _KEYS:
        variable = f"QUEUECTL_{key.upper()}"
        option = options.get(key)
        if option is not None:
            values[key], origins[key] = option, f"option --{key.replace('_', '-')}"
        elif environ.get(variable):
            values[key], origins[key] = environ[variable], f"environment {variable}"
        elif key in from_file:
            values[key], origins[key] = from_file[key], f"file {path}"
        else:
            origins[key] = "default"

    if "home" in values:
        # A relative path in the file must not depend on the directory where a command is typed.
        base = os.path.dirname(path) if values["home"] is from_file.get("home") else ""
        home = os.path.join(base, _expand_user(values["home"], environ))
    else:
        home = os.path.join(_user_folder("state", environ), "queuectl")
    settings = Settings(
        home=os.path.abspath(home),
        redis_url=values.get("redis_url"),
        namespace=values.get("namespace", _DEFAULT_NAMESPACE),
        appendfsync=values.get("appendfsync", "always"),
        insecure_redis=_yes_or_no("insecure_redis", values, origins),
        allow_root=_yes_or_no("allow_root", values, origins),
        origins=origins,
    )
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    origins = settings.origins
    if settings.redis_url == "":
        raise BadConfiguration(
            f"redis_url is empty ({origins['redis_url']}).",
            "Leave it out to use the embedded server, or give a URL such as redis://localhost:6379/0",
        )
    if not _is_namespace(settings.namespace):
        raise BadConfiguration(
            f"{settings.namespace!r} can't be a namespace ({origins['namespace']}).",
            f"Use 1 to {_NAMESPACE_LIMIT} letters, digits, '_', '.' or '-'.",
        )
    if settings.appendfsync not in APPENDFSYNC:
        raise BadConfiguration(
            f"{settings.appendfsync!r} can't be appendfsync ({origins['appendfsync']}).",
            f"Use one of: {', '.join(APPENDFSYNC)}.",
        )


def _yes_or_no(key: str, values: Mapping[str, str], origins: Mapping[str, str]) -> bool:
    text = values.get(key, "no")
    if text.lower() not in _ANSWERS:
        raise BadConfiguration(f"{text!r} can't be {key} ({origins[key]}).", "Use yes or no.")
    return _ANSWERS[text.lower()]


def _is_namespace(text: str) -> bool:
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return 1 <= len(text) <= _NAMESPACE_LIMIT and _NAMESPACE_CHARACTERS.issuperset(text)


def _read_configuration(environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the path of the configuration file and its settings; empty if there is no file."""
    named = environ.get("QUEUECTL_CONFIG")
    if named:
        path = os.path.abspath(_expand_user(named, environ))
    else:
        try:
            path = os.path.join(_user_folder("config", environ), "queuectl", "config.toml")
        except BadConfiguration:
            return "", {}  # a user without a home folder has no such file
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            content = file.read()
        folder = os.stat(os.path.dirname(path))
    except FileNotFoundError:
        if named:
            raise BadConfiguration(
                f"The configuration file {path} doesn't exist (environment QUEUECTL_CONFIG).",
                "Create it, or unset QUEUECTL_CONFIG.",
            ) from None
        return path, {}
    except OSError as error:
        raise BadConfiguration(
            f"The configuration file {path} can't be read: {error.strerror}.",
            f"Check its permissions: ls -ld '{path}'",
        ) from None
    _check_owner(f"The configuration file {path}", path, facts)
    _check_owner(f"The folder of the configuration file {path}", os.path.dirname(path), folder)
    values = _parse_configuration(path, content)
    if facts.st_mode & 0o044 and _has_password(values.get("redis_url", "")):
        from queuectl.notices import tell

        tell(f"the configuration file {path} has a password, and others can read it: chmod 600 '{path}'")
    return path, values


def _check_owner(what: str, path: str, facts: os.stat_result) -> None:
    """Refuse what another user could change: that user would choose the server, whose jobs run as this one."""
    if stat.S_ISCHR(facts.st_mode):  # /dev/null
        return
    if facts.st_uid not in (0, os.geteuid()):
        raise BadConfiguration(
            f"{what} belongs to another user (uid {facts.st_uid}), who could have your account run commands.",
            "Use a file of your own, in a folder of your own, or unset QUEUECTL_CONFIG.",
        )
    sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    if facts.st_mode & 0o022 and not sticky:
        raise BadConfiguration(
            f"{what} can be changed by other users, who could have your account run commands.",
            f"Only you may write there: chmod go-w '{path}'",
        )


def _has_password(url: str) -> bool:
    return ":" in url.partition("://")[2].rpartition("@")[0]


def _parse_configuration(path: str, content: bytes) -> dict[str, str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        table = tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise BadConfiguration(
            f"The configuration file {path} isn't UTF-8 text.", "Save it as UTF-8 without a byte order mark."
        ) from None
    except (ValueError, RecursionError) as error:  # not all are TOMLDecodeError: an extreme number or nesting isn't
        raise BadConfiguration(
            f"The configuration file {path} isn't TOML: {error}.",
            'Write one setting a line, its value in quotes: namespace = "queuectl"',
        ) from None
    values: dict[str, str] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise BadConfiguration(
                f"The configuration file {path} has the unknown key {key!r}.",
                f"Known keys: {', '.join(_KEYS)}.",
            )
        if not isinstance(value, str):
            raise BadConfiguration(
                f"{key} in the configuration file {path} is of type {type(value).__name__}, not a string.",
                f'Put the value in quotes: {key} = "..."',
            )
        if not value or "\0" in value:
            raise BadConfiguration(
                f"{key} in the configuration file {path} is {'not usable text' if value else 'empty'}.",
                f"Give {key} a value, or take its line out.",
            )
        values[key] = value
    return values


def _user_folder(kind: str, environ: Mapping[str, str]) -> str:
    """Return the folder where programs keep their ``state`` or ``config`` for this user."""
    if sys.platform != "linux":
        import platformdirs

        return platformdirs.user_state_dir() if kind == "state" else platformdirs.user_config_dir()
    # The XDG rule by hand: importing platformdirs would add 12 ms to every command.
    folder = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if os.path.isabs(folder):  # XDG says to ignore a relative path
        return folder
    return _expand_user("~/.local/state" if kind == "state" else "~/.config", environ)


def _expand_user(path: str, environ: Mapping[str, str]) -> str:
    """Replace a leading ``~`` of ``path`` with ``$HOME``, or else the home folder from the user database."""
    if path != "~" and not path.startswith("~/"):
        return path
    home = environ.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(home):
        raise BadConfiguration(
            "This user has no home folder: HOME is not set, and the user database names none.",
            "Set QUEUECTL_HOME and QUEUECTL_CONFIG to absolute paths, or set HOME.",
        )
    return home + path[1:]
