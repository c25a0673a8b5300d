"""Protocols, tables and reports."""
