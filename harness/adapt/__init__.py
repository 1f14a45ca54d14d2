"""Cells: adapting to a target domain's k examples and predicting its test split."""
