"""Scores of predictions, and the statistics from which intervals are made. No torch here."""
