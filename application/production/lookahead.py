"""Reading ahead: the next items are made in a thread of their own while the last one is used."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Made(Generic[Item]):
    item: Item


@dataclass(frozen=True, slots=True)
class _End:
    failure: BaseException | None = None


@contextmanager
def read_ahead(items: Generator[Item], stop: Callable[[], None]) -> Iterator[Iterator[Item]]:
    """The same items: one waits, and one is being made, while another is used.

    At the block's end the generator is closed in the thread that ran it. Where the block fails, ``stop`` is
    called first, which ends the making of an item that nobody waits for.
    """
    made: queue.Queue[_Made[Item] | _End] = queue.Queue(1)
    over = threading.Event()

    def make() -> None:
        end = _End()
        try:
            with closing(items):
                for item in items:
                    made.put(_Made(item))
                    if over.is_set():
                        break
        except BaseException as error:  # noqa: BLE001 - whatever it is, who takes the items must learn of it
            end = _End(error)
        made.put(end)

    def taken() -> Iterator[Item]:
        while isinstance(entry := made.get(), _Made):
            yield entry.item
        if entry.failure:
            raise entry.failure

    # In the context of the caller, for its trace. A daemon: one that waits for storage must not keep the
    # process from ending.
    thread = threading.Thread(target=copy_context().run, args=(make,), name="read ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    except BaseException:
        stop()
        raise
    finally:
        over.set()
        while thread.is_alive():
            with suppress(queue.Empty):
                made.get(timeout=LOOK_SECONDS)
