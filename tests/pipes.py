"""Named pipes, at which a program that reads them would wait for ever."""

import os
import threading
from contextlib import contextmanager

SECONDS = 3


@contextmanager
def nobody_waits(*paths):
    """Make pipes, and fail if something still waits for their content after some seconds."""
    for path in paths:
        os.mkfifo(path)
    waiting, done = [], threading.Event()

    def release():
        while not done.wait(SECONDS):
            for path in paths:
                try:
                    # Fails if nobody reads; otherwise the reader gets an empty file, and goes on.
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                except OSError:
                    continue
                waiting.append(path.name)

    thread = threading.Thread(target=release)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert waiting == []
