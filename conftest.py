"""Loads the dojo's pytest plugin, so that plain `pytest` works anywhere in this repository."""

pytest_plugins = ["dojo.plugin"]
