"""From raw data to gold, val, tuning, test and pool: stage `prepare`."""
