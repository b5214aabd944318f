"""Weights of conditions and of points while `fit` goes on: a rule is a class with `updated`."""
