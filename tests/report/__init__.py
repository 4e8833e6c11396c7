"""What is told of the work, and the shapes of it that programs rely on."""
