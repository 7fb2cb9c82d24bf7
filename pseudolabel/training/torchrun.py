"""torchrun, with one line in place of its traceback if a process or a machine fails."""

from __future__ import annotations

import sys

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous.api import RendezvousError, RendezvousTimeoutError
from torch.distributed.run import main

if __name__ == "__main__":
    try:
        main()
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        sys.exit(f"process {rank} of torchrun ended with status {failure.exitcode}")
    except DistError:
        sys.exit("torchrun: another machine does not answer any more")
    except RendezvousTimeoutError:
        sys.exit("torchrun: too few machines came: run `pseudolabel join` on the others")
    except RendezvousError as error:
        sys.exit(f"torchrun: the machines did not meet: {error}")
