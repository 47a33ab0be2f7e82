"""Several pieces of work at once, their results in order and never more of them than a few waiting."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Results of the work on each item, in the order of the items.

    `Executor.map` with its `buffersize`, which Python has from 3.14 on: at most twice as many items as workers are taken
    ahead of the result that is read, so a slow reader holds the workers back and memory stays bounded.
    """
    ahead = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
        waiting = deque(pool.submit(work, item) for item in islice(ahead, 2 * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(ahead, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
