"""Training of our own small ViTs, and their evaluation."""
