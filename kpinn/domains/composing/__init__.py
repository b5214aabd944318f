"""Domains made of others."""
