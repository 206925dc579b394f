"""What the demonstration consists of, and how it is sent."""
