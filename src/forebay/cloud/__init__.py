"""The local cloud: SQS and the ECS agent on loopback, over `forebay.rules`."""
