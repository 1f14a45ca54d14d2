"""Learning from examples: batches, the training loop, predictions, and the adaptations that many methods use."""
