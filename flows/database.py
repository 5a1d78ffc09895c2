from __future__ import annotations

from pydantic import BaseModel


class DatabaseReport(BaseModel):
    changes: list[str] = []


def converge_database(run, observed):
    return DatabaseReport()
