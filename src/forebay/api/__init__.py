"""The public face, and the composition of a run."""
