"""The walk itself: breadth first, so that it finds a shortest path to a broken law."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from queuectl.model.lifecycle import FINAL

from .actions import ACTIONS, Situation, Step, beat
from .clients import Clients, Runner
from .defects import Defect
from .identity import identity
from .laws import Broken, broken
from .records import Records
from .scope import Scope
from .server import ScriptFailed, Stage, stage

BATCH = 100
"""Steps that go to the server in one pipeline, while the replies of those before are judged."""

SCRIPTS_WORK = Broken("scripts_work", "No script answers with an error.", "")
THE_END = Broken(
    "the_end", "From every state every job can reach its end by healthy steps alone.", "from here it can not"
)


class State(NamedTuple):
    """A reached state: what the server holds, what is known outside, and the number of disturbances so far."""

    text: bytes
    clients: Clients
    disturbances: int
    node: int
    place: int


class Violation(NamedTuple):
    """A broken law, and all steps that led there."""

    broken: Broken
    trace: list[str]


@dataclass
class Result:
    """The findings of a walk. ``states`` counts different states; ``depth`` is the length of the longest path."""

    scope: Scope
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.scope}: {self.states:,} states, {self.transitions:,} transitions, depth {self.depth}, "
            f"{self.seconds:.0f} s, {len(self.violations)} laws broken"
        )


class Pending(NamedTuple):
    """A step to take, and where."""

    step: Step
    records: Records
    state: State


class Walk:
    """One walk. It ends at the first broken law, or when there is nothing new."""

    def __init__(self, scope: Scope, stage: Stage) -> None:
        self._scope = scope
        self._stage = stage
        self.result = Result(scope)
        # The reached states, by identity: number, and the fewest disturbances on a path to it.
        self._seen: dict[bytes, list[int]] = {}
        self._ways: list[tuple[int, str]] = [(-1, "")]
        self._depths: list[int] = [0]
        self._leads_to: list[set[int]] = []  # by healthy steps, backwards
        self._ended: list[int] = []
        self._first: list[int] = []
        self._queue: deque[State] = deque()

    def run(self) -> Result:
        """Walk."""
        began = time.monotonic()
        clients = Clients(tuple(Runner(f"r{number}") for number in range(1, self._scope.runners + 1)))
        self._reach(self._beginning(clients), clients, 0, 0)
        with ThreadPoolExecutor(1) as sender:
            self._walk(sender)
        if not self.result.violations:
            self._check_ends()
        self.result.states = len(self._first)
        self.result.seconds = time.monotonic() - began
        return self.result

    def _beginning(self, clients: Clients) -> Records:
        """Start with all runners connected and known to the server."""
        records = Records(b"{}")
        for runner in clients.runners:
            step = beat(runner)
            (replies,) = self._stage.exchange([(step, records, clients)])
            records = self._stage.read(step, records, clients, replies).after
        return records

    def _walk(self, sender: ThreadPoolExecutor) -> None:
        steps = self._steps()
        sent: list[Pending] = []
        answer: Any = None
        while not self.result.violations:
            batch = list(islice(steps, BATCH))
            if not batch and not sent:
                if not self._queue:
                    return
                steps = self._steps()
                continue
            asked = [(pending.step, pending.records, pending.state.clients) for pending in batch]
            next_answer = sender.submit(self._stage.exchange, asked) if batch else None
            if answer is not None:
                self._judge(sent, answer.result())
            sent, answer = batch, next_answer

    def _steps(self) -> Iterator[Pending]:
        """Return all steps from all states not yet expanded."""
        while self._queue:
            state = self._queue.popleft()
            records = Records(state.text)
            situation = Situation(self._scope, records, state.clients)
            for action in ACTIONS:
                for step in action(situation):
                    if state.disturbances + step.cost <= self._scope.disturbances:
                        yield Pending(step, records, state)

    def _judge(self, batch: list[Pending], replies: list[list[Any]]) -> None:
        for (step, records, state), answers in zip(batch, replies, strict=True):
            self.result.transitions += 1
            try:
                taken = self._stage.read(step, records, state.clients, answers)
            except ScriptFailed as error:
                self._report(SCRIPTS_WORK._replace(wrong=str(error)), state, step)
                return
            found = broken(taken)
            if found:
                self._report(found, state, step)
                return
            self._reach(taken.after, taken.clients, state.disturbances + step.cost, state.node, step, state.place)

    def _reach(
        self,
        records: Records,
        clients: Clients,
        disturbances: int,
        parent: int,
        step: Step | None = None,
        origin: int = -1,
    ) -> None:
        """Note a state. Expand it if it is new, or was only reached with more disturbances before."""
        name = identity(records, clients)
        known = self._seen.get(name)
        if known is None:
            known = self._seen[name] = [len(self._first), disturbances + 1]
            self._leads_to.append(set())
            self._first.append(len(self._ways))
            if all(fields["status"] in FINAL for fields in records.jobs.values()):
                self._ended.append(known[0])
        place, fewest = known
        if step is not None and step.healthy:
            self._leads_to[place].add(origin)
        if disturbances < fewest:
            known[1] = disturbances
            node = 0
            if step is not None:
                node = len(self._ways)
                self._ways.append((parent, step.text))
                self._depths.append(self._depths[parent] + 1)
                self.result.depth = max(self.result.depth, self._depths[node])
            self._queue.append(State(records.text, clients, disturbances, node, place))

    def _report(self, found: Broken, state: State, step: Step) -> None:
        self.result.violations.append(Violation(found, [*self._way(state.node), step.text]))

    def _way(self, node: int) -> list[str]:
        way = []
        while node > 0:
            node, text = self._ways[node]
            way.append(text)
        return way[::-1]

    def _check_ends(self) -> None:
        """Walk backwards from the states in which every job has ended."""
        good, front = set(self._ended), list(self._ended)
        while front:
            for origin in self._leads_to[front.pop()]:
                if origin not in good:
                    good.add(origin)
                    front.append(origin)
        for place in range(len(self._first)):
            if place not in good:
                way = self._way(self._first[place])
                self.result.violations.append(Violation(THE_END, way))
                return


def explore(scope: Scope, defect: Defect | None = None) -> Result:
    """Walk everything in ``scope``, on a separate server."""
    with stage(defect) as there:
        return Walk(scope, there).run()
