"""A task that ends its process every time costs only itself."""

from __future__ import annotations

from cds.audit.workers import Task, Workers
from tests.audit import poison


def test_a_task_that_ends_its_process_is_given_up_and_every_other_one_is_done_once() -> None:
    workers = Workers(2, poison.ready)
    done: list[int] = []
    tasks = [Task(f"task {n}", poison.work, (n,)) for n in range(12)]
    try:
        lost = workers.run(tasks, done=lambda _, found: done.append(found), tick=lambda: None)
    finally:
        workers.close()
    assert sorted(done) == [n for n in range(12) if n != 7]
    assert [(one.task.name, one.why) for one in lost] == [
        ("task 7", "the process ended 3 times (killed, or out of memory)")
    ]
