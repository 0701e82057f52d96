"""Where work comes from: the port, the wire client for SQS, and an in-memory queue."""
