"""Deterministic simulation: the platform's own logic in one process, under every fault, replayed exactly by a seed.

What is real: the folds, the dispatcher, the consumer's decisions, readiness, the Stripe worker from ownership to
sender, the API's reader, every Lua script, and the Redis that runs them. What is simulated:

- `loop`, `clock`: time, which passes only when nothing is ready, and the order of what is ready at the same moment;
- `network`, `weather`: calls that are slow, lost, or served after the caller gave up, paused or died;
- `kafka`, `group`, `consumer`: the broker, who owns which shard and who only believes so, and Faust's part;
- `stripe`: what it accepts, how long it knows an identifier, what its summaries show;
- `redis_server`: flushes, and failovers to an older copy of everything under a new replication id;
- `workload`, `operator`: what services publish, and what people map, late or wrongly;
- `world`, `disasters`: who is alive, killed, paused, and what befalls all of them at once.

`aggregators`, `workers` and `readers` wire the product's parts over these.

`run` puts a seed together: a storm, then calm, until nothing is left to do. `truth` recounts the logs, `photo` reads
Redis past the product's readers, and `invariants` and `shown` compare: at every call to Stripe, every few seconds, in
the end. `mutants` takes out one guard of the product at a time, with the `scenario` that asks for it.

A failing seed prints its number and its story; `python -m tests.simulation.run 26:27` tells it again.
"""
