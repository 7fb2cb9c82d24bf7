"""HTML pages in one file, and images with their labels drawn."""
