"""What one hands in: COCO results and a CSV of predictions, one file a kind of label."""
