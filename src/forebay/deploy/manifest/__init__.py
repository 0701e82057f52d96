"""`forebay.yml`: what a service is, written by people."""
