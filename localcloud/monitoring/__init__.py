"""Metrics of instances are sampled, and alarms are evaluated over them."""
