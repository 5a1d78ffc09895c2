"""Where moto's other services differ from AWS in ways a flow would notice, and are put right."""
