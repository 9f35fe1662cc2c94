"""What the past nights of a lab say of tonight: pure."""
