"""Thin dlt pipelines: one folder per source, and the few rooms that they share.

Shared rooms: `catalogue` (what is collected), `plan` (what is due), `http` (one client per vendor), `payload` (answer to
Arrow), `destination` (Arrow to the schema `raw` through dlt), `ledger` (what was asked and what came), `journal` (what came
and is not in the ledger yet), `parallel` (several fetches at once), `progress` (how far), `collect` (the run).
"""
