"""What is kept of the clusters' files: which and for how long (pure), in memory, and on disk."""
