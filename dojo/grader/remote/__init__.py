"""Grading on more than one machine: `dojo grade --queue` asks, `dojo worker` answers, a broker is between them.

`wire` is what they tell each other, `broker` where and how it is kept meanwhile, `asking` the side that has the
submissions and the journal, `machine` a worker's own tests and cells, and `working` the Celery worker around them.
It is built on what the katas teach:

- *idempotent_consumer*: everything is delivered at least once. What makes that harmless is the key under which the
  journal keeps a verdict, which is part of the task's id as well: the first verdict counts, and a duplicate changes
  nothing. A message is acknowledged after its effect is kept, on both sides: a task after its answer is with the
  broker, an answer after its verdict is in the journal.
- *dlq_router*: a submission that has ended its worker twice is not tried a third time. It goes to a dead-letter
  queue, with the reason, and into the book as ungraded.
- *backoff_schedule*: whoever finds the broker gone comes back after growing, jittered pauses, and a worker that
  cannot do what it is asked pauses longer each time, so that others take it.

Whoever can write to the broker can run code on the workers, as tests: keep it as private as the repository.
"""
