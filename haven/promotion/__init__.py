"""Decisions of a promotion: whom, whether, at what loss. Pure: observations in, verdicts out."""
