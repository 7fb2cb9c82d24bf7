"""torchrun, with one line in place of its traceback if a process fails."""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

if __name__ == "__main__":
    try:
        main()
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        sys.exit(f"process {rank} of torchrun ended with status {failure.exitcode}")
