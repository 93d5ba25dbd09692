"""Services that a backend talks to and that are neither Redis nor a broker, each call a step of the world."""
