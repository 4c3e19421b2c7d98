"""queuectl beside others: `make bench-peers`, or `python -m benchmarks.peers`.

Every peer runs the same commands in the same run: `echo NUMBER >> FILE`, each in a `sh -c` of its own, with the
same number at a time. Peers take turns within a round, in reverse order in every other round, and a ratio is the
median of the rounds' ratios to `xargs -P` with as many at a time.

- *enqueue*: all commands, by the fastest call that the peer documents for many of them, in a program that runs
  already. Programs that keep no queue have no such figure.
- *drain*: from the first line in the file to the last. A worker's start happens once, however many jobs there are,
  and would weigh more the fewer they are; *with start* has it in, from just before the worker is started.
- *exactly once*: after the workers have ended, the file must hold each number once. A run that lost jobs gives
  no time; lost and doubled ones are counted over all rounds.

A peer that needs a broker gets a private server of queuectl's own kind, with `appendfsync everysec`: that favours
it over queuectl as it is by default, which syncs always. Each is set up for its best speed within what its
documentation advises, and its `configuration` says how. Peers are installed from the public registries into
`build/peers/`; one that can't be installed, or fails, is shown with the reason. RQ's forking worker is so much
slower that it runs a tenth of the jobs.
"""
