"""What should exist: one file per kind of resource, and the stack file that fills them in."""
