"""Learning to learn: an inner loop as a function of its start, and the gradient of what comes after it."""
