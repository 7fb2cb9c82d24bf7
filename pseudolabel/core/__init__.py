"""Records, errors, files and geometry; this package imports no other package of the project."""
