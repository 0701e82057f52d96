"""Keep ECS from stopping a busy task. Usable alone: see `forebay.protection.ecs.TaskProtection`."""
