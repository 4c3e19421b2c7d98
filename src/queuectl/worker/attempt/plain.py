"""Finds shell commands that need no shell: plain words that name a program. `make` also executes those directly.

A shell would split them at the blanks and execute the program itself. Skipping it saves an exec, which is half the
cost of a trivial command. The shell handles everything else (quotes, globs, variables, redirections, builtins,
assignments) and every failure: it also reports a program that can't be found or executed.
"""

from __future__ import annotations

# Characters that mean nothing to any POSIX shell, except % and = in the first word, see below.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_ \t")

# Reserved words and builtins of dash and bash: as programs they would act differently or not exist.
_SHELLS_OWN = frozenset(
    b"""
    . : [ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare
    dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash
    help history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return
    select set shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset
    until wait while
    """.split()
)


def words(command: bytes) -> list[bytes] | None:
    """Return the program and its arguments, or None if ``command`` needs a shell."""
    if not _PLAIN.issuperset(command):
        return None
    found = command.split()
    if not found or found[0] in _SHELLS_OWN or found[0].startswith(b"%") or b"=" in found[0]:
        return None
    return found
