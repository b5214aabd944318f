"""The version of kpinn."""

__version__ = "0.1.0"
