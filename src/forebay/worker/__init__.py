"""The worker itself: a pure engine that decides, and a driver that acts."""
