"""What follows from decisions: costs, and postbacks to partners."""
