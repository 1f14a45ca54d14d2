"""Adaptations that more than one method uses; each answers under `adapt:` to its name in snake_case."""
