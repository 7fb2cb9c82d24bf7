"""One thin script per DVC stage: read the parameters, call one library function."""
