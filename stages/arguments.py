"""The one argument that the stages of a round take: its number."""

import argparse
from pathlib import Path

ROUNDS = Path("rounds")


def round_number(description: str | None) -> int:
    """Return the number of the round that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("round", type=int, help="number of the round, 0 for the teacher on gold")
    return int(parser.parse_args().round)
