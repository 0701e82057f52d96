"""SQS and the ECS scheduler as pure state machines: what the local cloud serves and the simulator turns."""
