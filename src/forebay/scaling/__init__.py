"""How many tasks a service should have: laws that decide it from a queue's metrics, and what carries their word out."""
