"""Where moto and AWS differ, and a flow would notice: one file per service."""
