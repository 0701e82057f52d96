"""From a handler to a service on Fargate: manifest, template, changes, image, stack, and what is live."""
