"""One thin script a DVC stage: read, call one library function, write."""
