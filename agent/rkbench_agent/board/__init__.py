"""What the board is and how it does: environment, sensors, memory, clocks."""
