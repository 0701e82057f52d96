"""What a worker tells the outside: events, logs, health."""
