"""Pretrained language models: their anatomy, loading them, and pretraining the embedded ones."""
