"""A regular package: some installed packages bring a `tests` of their own, which would win."""
