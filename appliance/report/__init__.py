"""What is told of the work: records, counters, status."""
